//! A destination as the caller named it.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use assetsync_core::text;
use assetsync_ssh::{Target, TransportError};

/// Where to push, and the name that it has in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// As it was written, printable.
    pub label: String,
    /// The address it means.
    pub target: Target,
}

/// Reads a destination as rsync writes it: `[user@]host:path`, a URL, or a local path.
impl TryFrom<&OsStr> for Destination {
    type Error = TransportError;

    fn try_from(given: &OsStr) -> Result<Destination, TransportError> {
        Ok(Destination { label: text::name(given.as_bytes()), target: Target::parse(given)? })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}
