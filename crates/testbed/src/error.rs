//! Errors of test fixtures.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a test fixture cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that is missing or failed, or an sshd that does not start.
    #[error(transparent)]
    Tool(#[from] assetsync_loopback_sshd::Error),
    /// A failed system call.
    #[error("Cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// A corpus that is not on this machine.
    #[error(transparent)]
    Corpus(crate::corpora::MissingCorpus),
    /// A server of object storage that does not start.
    #[error("Cannot start {what} for tests of buckets: {reason}")]
    S3 {
        /// What of it.
        what: String,
        /// Why.
        reason: String,
    },
    /// This machine or user cannot limit memory.
    #[error("No memory cgroup can be used here: {why}")]
    NoCgroup {
        /// The reason.
        why: String,
    },
}

/// Adds the attempted action to the error of a system call.
pub(crate) trait ErrorContext<T> {
    /// Turns the error into one that names `action` and `path`.
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> ErrorContext<T> for std::result::Result<T, E> {
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|error| Error::Io {
            action,
            path: path.as_ref().to_path_buf(),
            source: error.into(),
        })
    }
}
