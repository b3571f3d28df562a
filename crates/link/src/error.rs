//! Errors of a link.

use std::io;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a link cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A description of a link that cannot be parsed.
    #[error("{0:?} is no link: write a round trip and a rate, as in 50ms,20mbit, or 0")]
    Spec(String),
    /// No port to listen on.
    #[error("Cannot bind 127.0.0.1: {0}")]
    Bind(#[source] io::Error),
}
