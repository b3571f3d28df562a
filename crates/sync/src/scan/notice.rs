//! What the user should know of paths of the source.

use std::fmt;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::text;

/// A path of the source that is not pushed though no filter excludes it, or that is not what it
/// seems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanNotice {
    /// The path. Nothing below a directory that is not pushed is pushed either.
    pub path: RelPath,
    /// What is to be known of it.
    pub about: About,
}

/// What is to be known of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A FIFO, socket or device: never opened, not pushed.
    Special,
    /// A name reserved for work directories: not pushed.
    Reserved,
    /// A symlink that leads out of the source: not pushed, as the caller wants.
    UnsafeLink,
    /// A symlink that leads out of the source: pushed as it is.
    OutsideLink {
        /// Where it leads to.
        target: Vec<u8>,
        /// Number of other such links.
        others: usize,
    },
    /// Only its owner can read it, wherever it is pushed to: another user's web server answers 403.
    Private {
        /// Number of other such paths.
        others: usize,
    },
}

impl ScanNotice {
    /// What a build under a strict umask comes to.
    pub(crate) fn of_private(entries: &[Entry]) -> Option<ScanNotice> {
        let is_private = |entry: &&Entry| match entry.kind {
            Kind::File { .. } => entry.mode & 0o044 == 0,
            Kind::Dir => entry.mode & 0o011 == 0,
            _ => false,
        };
        let mut private = entries.iter().filter(is_private);
        let path = private.next()?.path.clone();
        Some(ScanNotice { path, about: About::Private { others: private.count() } })
    }
}

impl fmt::Display for ScanNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanNotice { path, about } = self;
        match about {
            About::Special => write!(f, "{path} is a FIFO, socket or device and is not pushed"),
            About::Reserved => write!(
                f,
                "{path} is not pushed: .assetsync and .assetsync-* are names of assetsync's work \
                 directories"
            ),
            About::Private { others } => {
                let count = others + 1;
                let noun = if count == 1 { "path" } else { "paths" };
                write!(
                    f,
                    "{count} {noun} of the source can be read by the owner alone, so not by a web \
                     server that runs as another user ({path})"
                )
            }
            About::UnsafeLink => write!(f, "{path} is a link out of the source and is not pushed"),
            About::OutsideLink { target, others } => {
                let (target, verb) = (text::name(target), "on a host it leads to what is there");
                match others {
                    0 => write!(f, "{path} is a link out of the source, to {target}; {verb}"),
                    _ => write!(
                        f,
                        "{path} and {others} more are links out of the source ({path} to \
                         {target}); {verb}"
                    ),
                }
            }
        }
    }
}
