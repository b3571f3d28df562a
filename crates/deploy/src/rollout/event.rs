//! Events of a rollout. The library never prints.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use assetsync_sync as sender;

use super::error::TargetError;
use crate::command::Shown;

/// Something that happened.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The next phase begins.
    Phase {
        /// The phase.
        phase: Phase,
        /// How many hosts and how many buckets are chosen.
        chosen: (usize, usize),
    },
    /// A command begins, here or on a host.
    Running {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The command alone, without directory and environment.
        command: &'a Shown,
    },
    /// A command wrote a line to one of its outputs.
    Output {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The line without its end; control characters are escaped.
        line: &'a Shown,
        /// Whether it was written to standard error. On a host both outputs are one.
        is_error: bool,
    },
    /// A command succeeded.
    Ran {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The command as in [`Event::Running`].
        command: &'a Shown,
        /// How long it took.
        elapsed: Duration,
    },
    /// A command failed, or was ended.
    CommandFailed {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The command as in [`Event::Running`].
        command: &'a Shown,
    },
    /// An event of the push to one target.
    Push {
        /// The target's label.
        target: &'a str,
        /// The event.
        event: sender::Event<'a>,
    },
    /// A target has everything staged and verified; nothing is published yet.
    Staged {
        /// The target's label.
        target: &'a str,
        /// The report of the push so far.
        report: &'a sender::Report,
    },
    /// A target is the same directory as another one: it is staged and published there, once.
    SameDirectory {
        /// The target's label.
        target: &'a str,
        /// The other target's label.
        same_as: &'a str,
    },
    /// A target is published.
    Published {
        /// The target's label.
        target: &'a str,
    },
    /// A target's files are answered to visitors as they were published.
    Verified {
        /// The target's label.
        target: &'a str,
        /// How many of them were asked for, and how many there are.
        files: (usize, usize),
        /// Of a bucket, how many objects' headers were compared.
        headers: Option<usize>,
    },
    /// Old files are deleted.
    Pruned {
        /// The target's label.
        target: &'a str,
        /// The number of paths.
        paths: u64,
        /// The files among them and among what was deleted with publishing, and their bytes.
        removed: sender::Count,
    },
    /// A target failed.
    Failed {
        /// The target's label.
        target: &'a str,
        /// Why.
        reason: &'a TargetError,
    },
    /// The output of the build was deleted on this machine.
    CleanedUp {
        /// The directory.
        path: &'a Path,
    },
    /// A message to the user.
    Notice {
        /// The target's label, if the message is about one.
        target: Option<&'a str>,
        /// The event.
        text: &'a Shown,
    },
}

/// The phases of a rollout, in order. A phase without work has no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All hosts and buckets are connected to and surveyed.
    Check,
    /// The assets are built here.
    Build,
    /// All hosts and buckets receive missing files, without changing what is served.
    Stage,
    /// All buckets and hosts publish what is staged.
    Publish,
    /// The application is restarted.
    Restart,
    /// The web server of each host is asked for what was published.
    Verify,
    /// Old files are deleted on all hosts and in all buckets.
    Prune,
    /// The output of the build is deleted on this machine.
    CleanUp,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Check => "check",
            Phase::Build => "build",
            Phase::Stage => "stage",
            Phase::Publish => "publish",
            Phase::Restart => "restart",
            Phase::Verify => "verify",
            Phase::Prune => "prune",
            Phase::CleanUp => "clean up",
        })
    }
}

/// Receives events, from any thread.
pub trait Monitor: Send + Sync {
    /// Receives an event.
    fn event(&self, event: &Event<'_>);
}
