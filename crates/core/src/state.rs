//! The state of a destination, as the agent reports it.

use std::fmt;

use crate::digest::{Digest, ShortDigest};
use crate::entry::Entry;
use crate::index::{EntryList, Index, Indices, Listed, PartialList, RetainedList};

/// One entry of the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEntry {
    /// The entry.
    pub entry: Entry,
    /// Its content's digest, if the agent knows it for certain.
    pub digest: Option<ShortDigest>,
}

impl Listed for RemoteEntry {
    type List = EntryList;
}

/// A file in the staging area that an interrupted push did not publish, whole or not: what is
/// copied from it is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The digest in its name: that of its content, if it is whole.
    pub digest: ShortDigest,
    /// Bytes of content.
    pub size: u64,
}

impl Listed for Partial {
    type List = PartialList;
}

/// A content that is retained in the work directory; files can be copied from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedContent {
    /// The content's digest.
    pub digest: Digest,
    /// Bytes of content.
    pub size: u64,
}

impl Listed for RetainedContent {
    type List = RetainedList;
}

/// The destination before a push, in tree order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// All entries; a plan names them by their index here.
    pub entries: Vec<RemoteEntry>,
    /// The partials; a plan names them by their index here.
    pub partials: Vec<Partial>,
}

impl State {
    /// The indices of all entries.
    pub fn indices(&self) -> Indices<EntryList> {
        Index::range(0..self.entries.len() as u32)
    }
}

/// Hash of a state: the first 16 bytes of the BLAKE3 of all its entries, encoded as on the wire
/// (see [`StateHasher`](crate::protocol::StateHasher)).
///
/// Both sides compute it after a push. The next push names it, and if the agent still has it, only
/// differences are sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub [u8; 16]);

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Hash of a history: the first 16 bytes of its BLAKE3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryId(pub [u8; 16]);

impl HistoryId {
    /// The id of a history.
    pub fn of(history: &[u8]) -> HistoryId {
        HistoryId(Digest::of(history).short().0)
    }
}
