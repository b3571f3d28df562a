//! What the destination answers about its files.

use std::collections::HashMap;

use assetsync_core::delta::Signature;

/// The answer to a question about a file at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has the expected content.
    ContentMatch,
    /// It has not.
    Different,
    /// It has not, and this is its signature.
    Signed(Signature),
    /// It can't be read.
    Gone,
}

/// Answers by position in the state.
pub type Answers = HashMap<u32, Answer>;
