//! How a push tells what it is doing. The library never prints.

use assetsync_ssh::bootstrap::Installed;

use crate::scan::left_out::LeftOut;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The host is reached; how, in words.
    Connected {
        /// The transport and why it was chosen.
        how: &'a str,
    },
    /// The agent was not there and has been installed, in a dry run, too.
    AgentInstalled(&'a Installed),
    /// The login shell printed this before the agent started.
    Noise(&'a str),
    /// Something of the source that is not carried.
    LeftOut(&'a LeftOut),
    /// The destination's state is known.
    Surveyed {
        /// Number of paths there.
        paths: u64,
        /// Verified files of an interrupted push that can be used again.
        partials: u64,
    },
    /// The plan is made.
    Planned {
        /// Files whose content travels.
        files: u64,
        /// Their bytes of content.
        bytes: u64,
    },
    /// More content has been sent.
    Progress {
        /// Bytes of content dealt with so far.
        done: u64,
        /// Bytes of content in all.
        total: u64,
        /// Bytes that travelled for it so far.
        sent: u64,
    },
    /// Files that did not arrive as they were sent are sent again.
    Retrying {
        /// How many.
        files: u64,
    },
    /// Everything is sent; the agent verifies and publishes.
    Sent,
    /// Everything is staged and verified; nothing is published yet.
    Staged,
    /// The destination is as the plan says, but for what is left for pruning.
    Published,
    /// What was left for pruning is done.
    Pruned,
    /// Something the user should know, in words.
    Notice(&'a str),
}

/// Hears of events; called from the thread that pushes.
pub trait Monitor: Sync {
    /// Takes note of an event.
    fn event(&self, event: Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn event(&self, _event: Event<'_>) {}
}
