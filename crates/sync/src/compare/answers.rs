//! The destination's answers about its files.

use std::collections::HashMap;

use assetsync_core::delta::Signature;
use assetsync_core::index::EntryIndex;

/// The answer to a question about a file at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The file has the expected content.
    ContentMatch,
    /// The file has another content.
    Different,
    /// The file has another content, with this signature.
    Signed(Signature),
    /// The file can't be read.
    Gone,
}

/// Answers by position in the state.
pub type Answers = HashMap<EntryIndex, Answer>;
