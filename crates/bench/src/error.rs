//! Errors of a race.

use std::io;
use std::path::{Path, PathBuf};

use assetsync_ssh::TransportError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a race cannot be run or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The throw-away sshd cannot be started.
    #[error(transparent)]
    Sshd(#[from] assetsync_loopback_sshd::Error),
    /// The link cannot be made.
    #[error(transparent)]
    Link(#[from] assetsync_link::Error),
    /// Programs of the competitors that are not installed.
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
    /// A failed system call.
    #[error("Can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A preparation that failed.
    #[error("Can't {action} on {place}: {said}")]
    Preparing {
        /// What was tried, as a verb.
        action: &'static str,
        /// The machine.
        place: String,
        /// The standard error of the shell.
        said: String,
    },
    /// A path that a shell would not take literally in the competitors' commands.
    #[error(
        "{path:?} holds a space or a shell character, which the commands of a race can't take; {hint}"
    )]
    Path {
        /// The path.
        path: String,
        /// What to do.
        hint: &'static str,
    },
    /// A host that cannot be reached through a forwarder.
    #[error(
        "{host} can't be raced to: its ssh setting `{setting}` means that it is not reached by plain TCP or by keys alone"
    )]
    NotPlain {
        /// The host.
        host: String,
        /// The first setting that prevents it.
        setting: String,
    },
    /// A host whose address cannot be found.
    #[error("Can't find the address of {host}: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// An empty tree.
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
    /// The user stopped it.
    #[error("Interrupted; what was prepared has been removed")]
    Interrupted,
}

/// Adds the attempted action to the error of a system call.
pub(crate) trait ErrorContext<T> {
    /// Turns the error into one that names `action` and `path`.
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> ErrorContext<T> for io::Result<T> {
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|source| Error::Io { action, path: path.as_ref().to_path_buf(), source })
    }
}
