//! How a rollout tells what it is doing. The library never prints.

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
    /// The next step begins.
    Phase(Phase),
    /// A command begins, here or on a host.
    Running {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The command without its surroundings.
        command: &'a Shown,
    },
    /// A command wrote a line to one of its outputs.
    Output {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The line without its end; control characters are escaped.
        line: &'a Shown,
    },
    /// A command ended well.
    Ran {
        /// The host; none for this machine.
        host: Option<&'a str>,
        /// The command as in [`Event::Running`].
        command: &'a Shown,
        /// How long it took.
        elapsed: Duration,
    },
    /// Something happened in the push to a place.
    Push {
        /// The place's label.
        target: &'a str,
        /// What.
        event: sender::Event<'a>,
    },
    /// A place has everything, verified; it is as it was until all have.
    Staged {
        /// The place's label.
        target: &'a str,
        /// What was sent.
        report: &'a sender::Report,
    },
    /// A place is as the plan says.
    Published {
        /// The place's label.
        target: &'a str,
    },
    /// Old files are gone.
    Pruned {
        /// The place's label.
        target: &'a str,
        /// How many paths.
        paths: u64,
        /// The files among them and among what was deleted with publishing, and their bytes.
        removed: sender::Count,
    },
    /// A place can't be used, or no longer.
    Failed {
        /// The place's label.
        target: &'a str,
        /// Why.
        reason: &'a TargetError,
    },
    /// What was built was deleted here.
    CleanedUp {
        /// The directory.
        path: &'a Path,
    },
    /// Something the user should know, in words.
    Notice {
        /// The place's label, if it is about one.
        target: Option<&'a str>,
        /// What.
        text: &'a Shown,
    },
}

/// The steps of a rollout, in their order. A step without work is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All hosts are reached and looked at.
    Check,
    /// The assets are built here.
    Build,
    /// All hosts get what they lack, beside what is served.
    Stage,
    /// What is staged takes its place on all hosts.
    Publish,
    /// The application is told.
    Restart,
    /// What nobody needs any more is deleted on hosts.
    Prune,
    /// What was built is deleted here.
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
            Phase::Prune => "prune",
            Phase::CleanUp => "clean up",
        })
    }
}

/// Hears of events, from any thread.
pub trait Monitor: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMonitor;

impl Monitor for NoMonitor {
    fn event(&self, _event: &Event<'_>) {}
}
