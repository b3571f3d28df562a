//! What the destination holds, as its agent reports it.

use std::fmt;

use crate::digest::{Digest, ShortDigest};
use crate::entry::Entry;

/// One path at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEntry {
    /// What stands there.
    pub entry: Entry,
    /// Its content's digest, where the agent knows it without a doubt.
    pub digest: Option<ShortDigest>,
}

/// A verified file that an interrupted push left in staging: it can be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// Its content's digest.
    pub digest: ShortDigest,
    /// Bytes of content.
    pub size: u64,
}

/// A content that was set aside at the destination: it stands at no path, but files can be made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetainedContent {
    /// The content's digest.
    pub digest: Digest,
    /// Bytes of content.
    pub size: u64,
}

/// The destination before a push, in tree order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Every path at the destination; a plan names them by their position here.
    pub entries: Vec<RemoteEntry>,
    /// What an interrupted push left behind, by position too.
    pub partials: Vec<Partial>,
}

/// Names what stands at a destination: the first 16 bytes of the BLAKE3 of all its entries, encoded as they
/// travel (see [`StateHasher`](crate::protocol::StateHasher)).
///
/// Both sides compute it for themselves after a push. Where they agree, the next push names the id, and only
/// differences travel.
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

/// Names the bytes of a history: the first 16 bytes of their BLAKE3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryId(pub [u8; 16]);

impl HistoryId {
    /// The id of a history.
    pub fn of(history: &[u8]) -> HistoryId {
        HistoryId(Digest::of(history).short().0)
    }
}
