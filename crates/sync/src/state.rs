//! What the destination holds, as its agent reports it.

use crate::digest::ShortDigest;
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
pub struct Leftover {
    /// Its content's digest.
    pub digest: ShortDigest,
    /// Bytes of content.
    pub size: u64,
}

/// The destination before a push, in tree order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Every path at the destination; a plan names them by their position here.
    pub entries: Vec<RemoteEntry>,
    /// What an interrupted push left behind, by position too.
    pub leftovers: Vec<Leftover>,
}
