//! Events report what a push is doing. The library never prints.

use std::time::Duration;

use assetsync_ssh::bootstrap::Installed;

use crate::scan::notice::ScanNotice;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The host is connected.
    Connected {
        /// The transport and why it was chosen.
        how: &'a str,
    },
    /// The agent was missing and has been installed. A dry run does this, too.
    AgentInstalled(&'a Installed),
    /// The login shell printed this before the agent started.
    Noise(&'a str),
    /// A path of the source that is not pushed.
    ScanNotice(&'a ScanNotice),
    /// The destination's state is known.
    Surveyed {
        /// Number of paths there.
        paths: u64,
        /// Verified files of an interrupted push that can be used again.
        partials: u64,
    },
    /// What is known of the line to the destination, and how files therefore travel. Once when the
    /// plan is made, and again after everything is sent if something else was measured.
    Line {
        /// Bytes per second.
        bytes_per_second: u64,
        /// Where that comes from, and what follows from it, in words.
        why: &'a str,
    },
    /// How long sending the plan and the content took, once it is done: whether this machine or the
    /// line took the time.
    SendTimes {
        /// Preparing and compressing.
        working: Duration,
        /// Waiting until the line took what was ready.
        waiting: Duration,
    },
    /// The plan is made.
    Planned {
        /// Files whose content is sent.
        files: u64,
        /// Their bytes of content.
        bytes: u64,
    },
    /// More content has been sent.
    Progress {
        /// Bytes of content that are sent, or need not be, so far.
        done: u64,
        /// Bytes of content in all.
        total: u64,
        /// Bytes sent so far.
        sent: u64,
        /// Of these, bytes that the destination has received, as far as it is known: the rest may
        /// be in buffers on the way.
        acknowledged: u64,
        /// Bytes that will be sent in all, estimated from what was sent so far.
        expected: u64,
    },
    /// Files that did not arrive as they were sent are sent again.
    Retrying {
        /// How many.
        files: u64,
    },
    /// Everything is sent; what is still on the way arrives, and the agent verifies it.
    Sent,
    /// After [`Event::Sent`], more has arrived.
    Arrived {
        /// Bytes that the destination has received.
        acknowledged: u64,
        /// Bytes sent in all.
        sent: u64,
    },
    /// Everything has arrived and is verified. In a push to one destination, publishing begins.
    Verified,
    /// Everything is staged and verified; nothing is published yet.
    Staged,
    /// The destination is as planned, except for what is left for pruning.
    Published,
    /// The deletes that were left for pruning are done.
    Pruned,
    /// A message for the user.
    Notice(&'a str),
}

/// Receives events, in the thread that pushes.
pub trait Monitor: Sync {
    /// Receives an event.
    fn event(&self, event: Event<'_>);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn event(&self, _event: Event<'_>) {}
}
