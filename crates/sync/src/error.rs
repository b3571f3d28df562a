//! Why a push failed.

use std::sync::Arc;
use std::time::Duration;

use assetsync_core::protocol::{Failure, InboxError, Message, ToSender};
use assetsync_ssh::TransportError;
use assetsync_ssh::sftp::SftpOpenError;

use crate::compare::aliases::OneName;
use crate::placement::PlacementError;
use crate::plan::guards::{Obstruction, Refusal};
use crate::scan::source::SourceError;

/// Why a push failed. Unless it says otherwise, nothing has changed at the destination.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] Arc<SourceError>),
    /// The source has no files, and the push would delete everything.
    #[error(
        "Source {0} has no files (dot-files such as .keep do not count), so everything at the \
         destination would be deleted"
    )]
    EmptySource(String),
    /// Files are pushed, so there is nothing that could be extraneous.
    #[error("Deleting is for directories: nothing beside a file that is pushed is extraneous")]
    DeleteWithFiles,
    /// The names of the files do not fit into the first message.
    #[error(
        "These are too many files for one push; push their directory, with a list of them, or fewer"
    )]
    TooManyFiles,
    /// The host can't be reached, or no agent started on it.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The host has no SFTP that can be used.
    #[error(transparent)]
    NoSftp(SftpOpenError),
    /// No agent can run on the host, and it has no SFTP that can be used.
    #[error("{no_agent}; and without an agent: {no_sftp}")]
    NoAgentNorSftp {
        /// Why no agent can run.
        no_agent: Box<TransportError>,
        /// What is wrong with SFTP.
        no_sftp: Box<SftpOpenError>,
    },
    /// The agent gave up.
    #[error("{0}")]
    Agent(#[source] Failure),
    /// The agent's bytes make no sense.
    #[error("{}", invalid(.0))]
    Inbox(#[from] InboxError),
    /// The agent said something out of place.
    #[error("The agent broke the protocol: {0}")]
    Protocol(String),
    /// Nothing came for too long.
    #[error("Nothing received for {} s; no file at the destination is half written", .0.as_secs_f32())]
    Timeout(Duration),
    /// The connection ended.
    #[error("The connection was closed before the push was complete{}", detail(.0))]
    Closed(String),
    /// The system failed on this side.
    #[error("Can't communicate with the agent: {0}")]
    Io(#[source] std::io::Error),
    /// Directories with content stand where files shall be.
    #[error("Can't replace {}: {}", obstructions(.0), paths(.0))]
    Obstruction(Vec<Obstruction>),
    /// Paths that can't both be there.
    #[error(
        "The destination's file system can't tell {} apart (it ignores case or other differences \
         of spelling); rename or exclude one of them",
        names(.0)
    )]
    OneName(Vec<OneName>),
    /// A destination that is hardly meant; no host was reached.
    #[error(transparent)]
    Placement(#[from] Box<PlacementError>),
    /// The push to a destination panicked.
    #[error("internal error: the push stopped unexpectedly; please report this as a bug")]
    Panicked,
    /// The push to a destination could not begin.
    #[error(
        "can't start a thread for it on this machine: {0}; raise the limit on processes (ulimit -u)"
    )]
    Thread(#[source] std::io::Error),
    /// The plan deletes paths that it may not.
    #[error("{0}; nothing was changed")]
    Refused(#[from] Refusal),
    /// Another destination of the run, at this position, is the same directory. Its push does the
    /// work for both.
    #[error("Another destination of this run is the same directory")]
    SameDirectory(usize),
    /// The destination is the same directory as another one of the run, whose push failed.
    #[error("Same directory as {label}, where the push failed: {reason}")]
    FailedFor {
        /// The other destination.
        label: String,
        /// Why its push failed.
        reason: String,
    },
    /// The destination lacks the room.
    #[error("Disk full: the push needs {needed} bytes at the destination, {free} are free")]
    NoRoom {
        /// Bytes needed while both old and new files are there.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Data for several destinations could not be kept until all have it.
    #[error(
        "Can't write a temporary file for data that several destinations get to {}: {}; free space \
         there, or set TMPDIR",
        assetsync_core::text::path(&std::env::temp_dir()), .0
    )]
    SpillFile(#[source] std::io::Error),
    /// An error while content was encoded for several destinations.
    #[error(transparent)]
    Shared(Arc<PushError>),
    /// Something that files are compared with was in the store, and then was not.
    #[error("Something that this push needs was removed from the store meanwhile")]
    Vanished,
    /// A source file changed after the source was read.
    #[error(
        "{path} changes while the source is pushed: {source}; nothing was published, push when \
         whatever writes to it has ended"
    )]
    Changing {
        /// The file, relative to the source.
        path: String,
        /// The error of reading it.
        source: std::io::Error,
    },
    /// A deploy can't go on with what the destination holds.
    #[error("{0}")]
    Decision(Box<dyn std::error::Error + Send + Sync>),
    /// A given content is not here.
    #[error(
        "{path} is neither retained on the host nor in the local store; build and deploy that \
         revision again"
    )]
    Missing {
        /// The file, relative to the source.
        path: String,
    },
    /// A dry run can't be published.
    #[error("A dry run can't be published")]
    DryRun,
    /// A file did not arrive as it was sent, twice.
    #[error("{0} arrived damaged twice; check the memory and disk of both machines")]
    Damaged(String),
}

impl From<SourceError> for PushError {
    fn from(error: SourceError) -> PushError {
        PushError::Source(Arc::new(error))
    }
}

impl PushError {
    /// A message that is not allowed at this point of the conversation.
    pub(crate) fn unexpected(message: &ToSender<'_>) -> PushError {
        PushError::Protocol(format!("{} out of place", message.name()))
    }

    /// Whether it is only that several destinations can't be served at the same time.
    pub(crate) fn is_shared_encoding_failure(&self) -> bool {
        match self {
            PushError::SpillFile(_) => true,
            PushError::Shared(error) => error.is_shared_encoding_failure(),
            _ => false,
        }
    }

    /// Whether it is only that the store lost what it had.
    pub(crate) fn is_lost_content(&self) -> bool {
        match self {
            PushError::Vanished => true,
            PushError::Shared(error) => error.is_lost_content(),
            _ => false,
        }
    }
}

fn invalid(error: &InboxError) -> String {
    match error {
        InboxError::Changed => error.to_string(),
        _ => format!("Invalid data from the agent: {error}; check what the login shell prints"),
    }
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn obstructions(obstructions: &[Obstruction]) -> &'static str {
    match obstructions {
        [_] => "a non-empty directory with a file",
        _ => "non-empty directories with files",
    }
}

fn paths(obstructions: &[Obstruction]) -> String {
    let paths: Vec<String> = obstructions.iter().take(10).map(|it| it.path.to_string()).collect();
    paths.join(", ")
}

fn names(pairs: &[OneName]) -> String {
    let pair = |pair: &OneName| format!("{} and {}", pair.other, pair.path);
    pairs.iter().take(10).map(pair).collect::<Vec<_>>().join(", ")
}
