//! Errors of the tasks.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a task cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A fixture cannot be made.
    #[error(transparent)]
    Testbed(#[from] assetsync_testbed::Error),
    /// A corpus is missing.
    #[error(transparent)]
    Corpus(#[from] assetsync_testbed::corpora::MissingCorpus),
    /// A program is missing, or an sshd cannot be started.
    #[error(transparent)]
    Tool(#[from] assetsync_loopback_sshd::Error),
    /// A link cannot be made.
    #[error(transparent)]
    Link(#[from] assetsync_link::Error),
    /// A record of a race cannot be read.
    #[error(transparent)]
    Bench(#[from] assetsync_bench::Error),
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
    /// A program that failed.
    #[error("{what} ended with {status}: {output}")]
    Failed {
        /// The program, in words.
        what: String,
        /// Its exit status.
        status: String,
        /// Its output, if that was captured.
        output: String,
    },
    /// A measurement that cannot be right.
    #[error("{0}")]
    Unexpected(String),
    /// A page without the lines around the table that a script replaces.
    #[error("{0} lacks the comments around the table that {1} replaces")]
    NoTable(&'static str, &'static str),
    /// A file of measurements that cannot be parsed.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The position and the reason.
        source: serde_json::Error,
    },
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
