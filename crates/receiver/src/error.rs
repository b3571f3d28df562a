//! Why an agent gives up, and the failure that it sends.

use std::io;

use assetsync_core::protected::Protected;
use assetsync_core::protocol::{Failure, FailureCode, HelloError, InboxError, Message, ToAgent};

use crate::publishing::exchange::ExchangeUnsupported;
use crate::publishing::proof::refusal::{Reason, Refusal};
use crate::publishing::publisher::PublishError;
use crate::staging::staging_area::SizeExceeded;
use crate::survey::scan::ScanError;
use crate::work::error::WorkDirError;

/// Why an agent gives up. Nothing has been published, except with [`Mixed`](AgentError::Mixed) and
/// [`Prune`](AgentError::Prune).
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
    /// Paths that can't be published.
    #[error("Refused, nothing was changed: {}", refusals(.0))]
    Refused(Vec<Refusal>),
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
    /// Staged files could not be made durable.
    #[error("{0}; nothing was published")]
    NotBegun(#[source] PublishError),
    /// Publishing failed, and what was published was taken back.
    #[error("{0}; everything that was published before is put back, so nothing changed")]
    TakenBack(#[source] PublishError),
    /// Publishing failed, and so did taking it back.
    #[error(
        "{error}; what was published before is put back, except {}: all else is as it was; run \
         the push again to complete it",
        .not_put_back.join(", ")
    )]
    Mixed {
        /// The step that failed.
        error: PublishError,
        /// What could not be put back.
        not_put_back: Vec<String>,
    },
    /// The new files are live, but old ones could not be deleted.
    #[error("{0}; the new files are live, old ones were left; the next deploy deletes them")]
    Prune(#[source] PublishError),
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
            AgentError::WorkDir(WorkDirError::OtherOwner { .. }) => FailureCode::Permission,
            AgentError::Refused(refused) => code_of_refusal(refused.first()),
            AgentError::Mixed { .. } => FailureCode::Mixed,
            AgentError::NotNew(_) => FailureCode::Obstruction,
            AgentError::Protected { .. } => FailureCode::Protected,
            AgentError::ExchangeUnsupported(_) => FailureCode::Unsupported,
            AgentError::Clone(error) => match code_of(&error.source) {
                FailureCode::Other => FailureCode::Unsupported,
                known => known,
            },
            other => other.io_error().map_or(FailureCode::Other, code_of),
        };
        Some(Failure { code, text: self.to_string() })
    }

    fn io_error(&self) -> Option<&io::Error> {
        match self {
            AgentError::WorkDir(WorkDirError::Io { source, .. })
            | AgentError::Destination { source, .. }
            | AgentError::Scan(ScanError { source, .. })
            | AgentError::Clone(ScanError { source, .. })
            | AgentError::Stage { source, .. }
            | AgentError::NewTree(PublishError { source, .. })
            | AgentError::NotBegun(PublishError { source, .. })
            | AgentError::TakenBack(PublishError { source, .. })
            | AgentError::Mixed { error: PublishError { source, .. }, .. }
            | AgentError::Prune(PublishError { source, .. })
            | AgentError::WorkFiles(source) => Some(source),
            _ => None,
        }
    }

    /// Whether a sync failed: what is staged may not be on disk. The stage is kept where it has
    /// what could not be put back.
    pub fn spoils_stage(&self) -> bool {
        !matches!(self, AgentError::Mixed { .. })
            && self.io_error().is_some_and(assetsync_tree::is_failed_sync)
    }

    /// Whether the disk is full.
    pub fn is_no_space(&self) -> bool {
        self.failure().is_some_and(|failure| failure.code == FailureCode::NoSpace)
    }
}

fn refusals(refused: &[Refusal]) -> String {
    refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn code_of_refusal(refusal: Option<&Refusal>) -> FailureCode {
    match refusal.map(|refusal| &refusal.reason) {
        Some(Reason::ReadOnly) => FailureCode::ReadOnly,
        Some(Reason::DirNotWritable { .. } | Reason::NotOwner { .. }) => FailureCode::Permission,
        Some(Reason::Unreachable(error)) => code_of(error),
        _ => FailureCode::Other,
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
