//! Files over SFTP, for hosts that can't run an agent.
//!
//! A small client of version 3 over any channel, so it also works for hosts behind a ProxyJump. It
//! keeps up to 64 requests or files under way at a time, which libssh2's own client can't, and has
//! OpenSSH's `posix-rename`, the only rename of version 3 that replaces a file atomically.
//!
//! Nothing that the server sends is trusted: a packet has a limited length, a reply must be to a
//! request that is under way, handles and names are bytes, and lists are limited.

mod change;
mod error;
mod listing;
mod reply;
mod session;
mod upload;
mod window;
mod wire;

pub use change::Change;
pub use error::{SftpError, SftpErrorKind, SftpOpenError};
pub use listing::DirectoryEntry;
pub use session::{FreeSpace, SftpSession, sftp_session};
pub use upload::{Upload, Uploaded};
pub use wire::Attributes;

type Result<T> = std::result::Result<T, SftpError>;
