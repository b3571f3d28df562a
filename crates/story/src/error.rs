//! Why a story could not be told.

use std::io;
use std::path::PathBuf;

/// Why a story could not be told, which is not how it ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoryError {
    /// Something around it is missing or failed.
    #[error(transparent)]
    Testbed(#[from] assetsync_testbed::Error),
    /// The sshd of the server.
    #[error(transparent)]
    Sshd(#[from] assetsync_loopback_sshd::Error),
    /// The link to the server.
    #[error(transparent)]
    Link(#[from] assetsync_link::Error),
    /// A system call on a path.
    #[error("Cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that should have ended well.
    #[error("{what} ended with {status}: {said}")]
    Failed {
        /// What was run, in words.
        what: &'static str,
        /// Its exit status.
        status: String,
        /// What it wrote.
        said: String,
    },
    /// The outcome was not what it has to be.
    #[error("{0}")]
    Odd(String),
    /// Text without a table of the story.
    #[error("There is no table of the story between the lines of scripts/story: {0}")]
    NoTable(String),
}
