//! What can stand in the way of a race.

use std::io;
use std::path::{Path, PathBuf};

use assetsync_transport::TransportError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can stand in the way of a race.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The throw-away sshd, the link or a program is missing or does not work.
    #[error(transparent)]
    Sshd(#[from] assetsync_loopback_sshd::Error),
    /// A link that cannot be made.
    #[error(transparent)]
    Link(#[from] assetsync_link::Error),
    /// Programs that the competitors need and this machine lacks.
    #[error("{} not installed; `apt-get install {}` brings what is missing", programs.join(", "), packages.join(" "))]
    Missing {
        /// The programs.
        programs: Vec<&'static str>,
        /// The Debian packages that have them.
        packages: Vec<&'static str>,
    },
    /// The host's configuration cannot be read.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A system call on a path.
    #[error("Can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A preparation that failed.
    #[error("Can't {action} on {place}: {said}")]
    Preparing {
        /// What was tried, as a verb.
        action: &'static str,
        /// Where.
        place: String,
        /// What the shell said.
        said: String,
    },
    /// A path that would mean something else inside the competitors' commands.
    #[error(
        "{path:?} holds a space or a shell character, which the commands of a race can't take; {hint}"
    )]
    Path {
        /// The path.
        path: String,
        /// What to do.
        hint: &'static str,
    },
    /// A host that a forwarder cannot stand in front of.
    #[error(
        "{host} can't be raced to: its ssh setting `{setting}` means that it is not reached by plain TCP or by keys alone"
    )]
    NotPlain {
        /// The host.
        host: String,
        /// The first setting in the way.
        setting: String,
    },
    /// A host whose address cannot be found.
    #[error("Can't find the address of {host}: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Trees of which nothing can be learnt.
    #[error("{} holds no files; OLD and NEW are two builds of the same assets", .0.display())]
    NoFiles(PathBuf),
    /// A JSON file that is not a record of a race.
    #[error("{} is no record of `assetsync bench --json`: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A record of another version.
    #[error("{} has schema {found}, this version reads {}; run the race again", path.display(), crate::SCHEMA)]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u32,
    },
    /// The user ended it.
    #[error("Interrupted; what was prepared has been removed")]
    Interrupted,
}

/// Names what was being done when a system call failed.
pub(crate) trait Doing<T> {
    /// Turns the error into one that names `action` and `path`.
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::Io { action, path: path.as_ref().to_path_buf(), source })
    }
}
