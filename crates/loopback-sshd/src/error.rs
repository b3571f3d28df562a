//! Errors of starting programs, sshd above all.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a program or a server cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program that is not installed.
    #[error("{program} is not installed; `apt-get install {package}` brings it")]
    Missing {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
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
    #[error("{program} ended with {status}: {stderr}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status, in words.
        status: String,
        /// Its standard error.
        stderr: String,
    },
    /// An sshd that ended, or did not listen in time.
    #[error("sshd does not listen; its log says: {log}")]
    NotListening {
        /// Its log.
        log: String,
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
