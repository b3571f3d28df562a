//! Why an agent gives up, and how it tells the sender.

use std::io;

use assetsync_core::protected::Protected;
use assetsync_core::protocol::{Failure, FailureCode, HelloError, InboxError, Message, ToAgent};

use crate::publishing::exchange::ExchangeUnsupported;
use crate::publishing::publisher::PublishError;
use crate::staging::staging_area::SizeExceeded;
use crate::survey::scan::ScanError;
use crate::work::work_dir::WorkDirError;

/// Why an agent gives up. Nothing has been published unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The sender closed the connection or went silent; nobody is left to tell.
    #[error("The sender is gone")]
    SenderGone,
    /// The first line is not one.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The sender's bytes make no sense.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// A message that does not fit what came before.
    #[error("Sender broke the protocol: {0}")]
    Protocol(String),
    /// Content that goes beyond its file.
    #[error("Sender broke the protocol: {0}")]
    SizeExceeded(#[from] SizeExceeded),
    /// The destination can't be used.
    #[error("Can't use {path}: {source}")]
    Destination {
        /// The path as it was asked for.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The destination is a directory in which nothing may be deleted.
    #[error("Refused: nothing may be deleted in {path}, {reason}; nothing was changed")]
    Protected {
        /// The directory, without links.
        path: String,
        /// Why.
        reason: Protected,
    },
    /// The destination can't be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// No work directory.
    #[error(transparent)]
    WorkDir(#[from] WorkDirError),
    /// A file can't be staged.
    #[error("Can't stage {path}: {source}")]
    StagingArea {
        /// The file, relative to the destination.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// What content builds on is not what the sender takes it for.
    #[error("Files at the destination changed during the push; run it again")]
    Basis,
    /// Parts of the destination belong to somebody else.
    #[error("Permission denied: {} can't be changed; make the user that logs in the owner", .0.join(", "))]
    NotWritable(Vec<String>),
    /// Paths that the survey did not find stand at the destination.
    #[error(
        "{} exists at the destination, but its directory does not list that name: either the file \
         system treats another name there as the same (it may ignore case), or it was created just \
         now; push again, and if that does not help, rename one of the two", .0.join(", ")
    )]
    NotNew(Vec<String>),
    /// The destination can't be published as a whole.
    #[error(transparent)]
    ExchangeUnsupported(#[from] ExchangeUnsupported),
    /// What stands at the destination can't be cloned. Nothing is published.
    #[error("Can't clone {}: {}; nothing was published", .0.path, .0.source)]
    Clone(#[source] ScanError),
    /// The new tree can't be built or put in place. Nothing is published.
    #[error("{0}; nothing was published")]
    FileBuilder(#[source] PublishError),
    /// Publishing failed half way.
    #[error(
        "{0}; some files are published, none is half written; run the push again to complete it"
    )]
    Publish(#[from] PublishError),
    /// The agent's own files failed.
    #[error("Can't write the agent's temporary files: {0}")]
    WorkFiles(io::Error),
}

impl AgentError {
    /// A protocol error about `what`.
    pub fn protocol(what: impl ToString) -> AgentError {
        AgentError::Protocol(what.to_string())
    }

    /// A message that is not allowed `here`, such as "in a plan".
    pub fn unexpected(message: &ToAgent<'_>, here: &str) -> AgentError {
        AgentError::Protocol(format!("{} {here}", message.name()))
    }

    /// What the sender is told; `None` where there is nobody to tell.
    pub fn failure(&self) -> Option<Failure> {
        let code = match self {
            AgentError::SenderGone => return None,
            AgentError::Hello(_)
            | AgentError::Inbox(_)
            | AgentError::Protocol(_)
            | AgentError::SizeExceeded(_) => FailureCode::Protocol,
            AgentError::Basis => FailureCode::Basis,
            AgentError::WorkDir(WorkDirError::Locked { .. }) => FailureCode::Locked,
            AgentError::WorkDir(WorkDirError::OtherOwner { .. }) | AgentError::NotWritable(_) => {
                FailureCode::Permission
            }
            AgentError::NotNew(_) => FailureCode::Obstruction,
            AgentError::Protected { .. } => FailureCode::Protected,
            AgentError::ExchangeUnsupported(_) => FailureCode::Unsupported,
            AgentError::Clone(error) => match code_of(&error.source) {
                FailureCode::Other => FailureCode::Unsupported,
                known => known,
            },
            AgentError::WorkDir(WorkDirError::Io { source, .. })
            | AgentError::Destination { source, .. }
            | AgentError::Scan(ScanError { source, .. })
            | AgentError::StagingArea { source, .. }
            | AgentError::FileBuilder(PublishError { source, .. })
            | AgentError::Publish(PublishError { source, .. })
            | AgentError::WorkFiles(source) => code_of(source),
        };
        Some(Failure { code, text: self.to_string() })
    }

    /// Whether room is what was missing.
    pub fn is_no_space(&self) -> bool {
        self.failure().is_some_and(|failure| failure.code == FailureCode::NoSpace)
    }
}

fn code_of(error: &io::Error) -> FailureCode {
    use io::ErrorKind::*;
    match error.kind() {
        NotADirectory => FailureCode::NotADirectory,
        PermissionDenied => FailureCode::Permission,
        StorageFull | QuotaExceeded | FileTooLarge => FailureCode::NoSpace,
        ReadOnlyFilesystem => FailureCode::ReadOnly,
        DirectoryNotEmpty | IsADirectory | AlreadyExists => FailureCode::Obstruction,
        _ => FailureCode::Other,
    }
}
