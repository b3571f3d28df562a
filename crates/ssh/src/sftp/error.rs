//! Errors of SFTP, as far as version 3 of the protocol distinguishes them.

use crate::error::TransportError;

/// A refused or failed SFTP operation.
#[derive(Clone, Debug, thiserror::Error)]
#[error("Cannot {operation} {path} over SFTP: {detail}")]
pub struct SftpError {
    /// The kind of failure.
    pub kind: SftpErrorKind,
    /// The operation, as a verb.
    pub operation: &'static str,
    /// The remote path, safe to show.
    pub path: String,
    /// The message of the server or the connection, safe to show.
    pub detail: String,
}

/// The kinds of failure a caller may act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SftpErrorKind {
    /// No such file or directory.
    NotFound,
    /// The server's user may not do that.
    PermissionDenied,
    /// The target exists and this server cannot replace it atomically.
    TargetExists,
    /// The server does not know the operation.
    Unsupported,
    /// Anything else, including a full disk: version 3 does not distinguish more.
    Failure,
    /// The connection was lost or timed out.
    Lost,
    /// The server broke the protocol.
    Protocol,
}

impl SftpErrorKind {
    pub(crate) fn of_status(code: u32) -> Self {
        match code {
            2 | 10 => Self::NotFound,
            3 | 12 => Self::PermissionDenied,
            6 | 7 => Self::Lost,
            8 => Self::Unsupported,
            11 => Self::TargetExists,
            _ => Self::Failure,
        }
    }
}

/// Why an SFTP session could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SftpOpenError {
    /// The host could not be reached.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The host does not support SFTP version 3.
    #[error("{host} offers no usable SFTP: {detail}")]
    Refused {
        /// The host name.
        host: String,
        /// Its message, safe to show.
        detail: String,
    },
}
