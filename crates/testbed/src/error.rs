//! What can be missing or go wrong around a test.

use std::io;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What can be missing or go wrong around a test.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program this machine lacks.
    #[error("{program} is not installed; `apt-get install {package}` brings it")]
    Missing {
        /// The program looked for.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A system call on a path, or on what the path stands for.
    #[error("Cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that ended badly.
    #[error("{program} ended with {status}: {said}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status, in words.
        status: String,
        /// What it wrote to its standard error.
        said: String,
    },
    /// An sshd that ended or stayed silent instead of listening.
    #[error("sshd does not listen; its log says: {log}")]
    Silent {
        /// Everything it logged.
        log: String,
    },
    /// A link that cannot be made.
    #[error(transparent)]
    Link(#[from] assetsync_link::Error),
    /// A corpus that was not fetched.
    #[error(transparent)]
    Corpus(crate::corpora::MissingCorpus),
    /// No way to limit memory on this machine, or for this user.
    #[error("No memory cgroup can be used here: {why}")]
    NoCgroup {
        /// What stood in the way.
        why: String,
    },
}

/// Names what was being done when a system call failed.
pub(crate) trait Doing<T> {
    /// Turns the error into one that names `action` and `path`.
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T>;
}

impl<T, E: Into<io::Error>> Doing<T> for std::result::Result<T, E> {
    fn doing(self, action: &'static str, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(|error| Error::Io {
            action,
            path: path.as_ref().to_path_buf(),
            source: error.into(),
        })
    }
}
