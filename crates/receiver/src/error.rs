//! Why an agent gives up, and the failure that it sends.

use std::io;

use assetsync_core::protected::Protected;
use assetsync_core::protocol::{Failure, FailureCode, HelloError, InboxError, Message, ToAgent};

use crate::publishing::exchange::ExchangeUnsupported;
use crate::publishing::publisher::PublishError;
use crate::staging::staging_area::SizeExceeded;
use crate::survey::scan::ScanError;
use crate::work::work_dir::WorkDirError;

/// Why an agent gives up. Nothing has been published, except with [`Publish`](AgentError::Publish).
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The sender closed the connection or timed out.
    #[error("The sender is gone")]
    SenderGone,
    /// The first line is not a *Hello*.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The sender's bytes are invalid.
    #[error(transparent)]
    Inbox(#[from] InboxError),
    /// A message that is not allowed at this point.
    #[error("Sender broke the protocol: {0}")]
    Protocol(String),
    /// Content beyond the declared size of its file.
    #[error("Sender broke the protocol: {0}")]
    SizeExceeded(#[from] SizeExceeded),
    /// The destination can't be used.
    #[error("Can't use {path}: {source}")]
    Destination {
        /// The requested path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The destination is a directory in which nothing may be deleted.
    #[error("Refused: nothing may be deleted in {path}, {reason}; nothing was changed")]
    Protected {
        /// The directory, without symlinks.
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
    Stage {
        /// The file, relative to the destination.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A basis is not what the sender expects.
    #[error("Files at the destination changed during the push; run it again")]
    Basis,
    /// Parts of the destination belong to another user.
    #[error("Permission denied: {} can't be changed; make the user that logs in the owner", .0.join(", "))]
    NotWritable(Vec<String>),
    /// New paths of the plan exist at the destination, although the survey did not find them.
    #[error(
        "{} exists at the destination, but its directory does not list that name: either the file \
         system treats another name there as the same (it may ignore case), or it was created just \
         now; push again, and if that does not help, rename one of the two", .0.join(", ")
    )]
    NotNew(Vec<String>),
    /// The destination can't be published as a whole.
    #[error(transparent)]
    ExchangeUnsupported(#[from] ExchangeUnsupported),
    /// The destination can't be cloned. Nothing is published.
    #[error("Can't clone {}: {}; nothing was published", .0.path, .0.source)]
    Clone(#[source] ScanError),
    /// The new tree can't be built or exchanged. Nothing is published.
    #[error("{0}; nothing was published")]
    NewTree(#[source] PublishError),
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

    /// The failure to send; `None` if the sender is gone.
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
            | AgentError::Stage { source, .. }
            | AgentError::NewTree(PublishError { source, .. })
            | AgentError::Publish(PublishError { source, .. })
            | AgentError::WorkFiles(source) => code_of(source),
        };
        Some(Failure { code, text: self.to_string() })
    }

    /// Whether the disk is full.
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
