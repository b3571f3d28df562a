//! Computes the id of a state.

use super::codec_context::CodecContext;
use super::item::put_entry;
use crate::state::{RemoteEntry, StateId};

/// Hashes the entries of a state, in tree order.
#[derive(Debug, Default)]
pub struct StateHasher {
    hasher: blake3::Hasher,
    codec_context: CodecContext,
    line: Vec<u8>,
}

impl StateHasher {
    /// Adds the next entry.
    pub fn push(&mut self, entry: &RemoteEntry) {
        self.line.clear();
        put_entry(&mut self.line, entry, &mut self.codec_context);
        self.hasher.update(&self.line);
    }

    /// The id of all entries added.
    pub fn finish(&self) -> StateId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.hasher.finalize().as_bytes()[..16]);
        StateId(id)
    }

    /// The id of `entries`.
    pub fn id(entries: &[RemoteEntry]) -> StateId {
        let mut hasher = StateHasher::default();
        entries.iter().for_each(|entry| hasher.push(entry));
        hasher.finish()
    }
}
