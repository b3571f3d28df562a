//! Chooses the file a delta is made against: the one of the same logical name.

use std::collections::HashMap;

use assetsync_core::entry::Entry;
use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::state::State;

use crate::scan::logical_name::{FingerprintRules, LogicalName};

/// The destination's files by logical name.
#[derive(Debug)]
pub struct BasisIndex<'a> {
    state: &'a State,
    by_name: HashMap<Vec<u8>, Vec<EntryIndex>>,
}

impl<'a> BasisIndex<'a> {
    /// All regular files of a state whose names have fingerprints.
    pub fn of(state: &'a State, rules: &FingerprintRules) -> BasisIndex<'a> {
        let mut by_name: HashMap<Vec<u8>, Vec<EntryIndex>> = HashMap::new();
        for (position, remote) in Index::enumerate(&state.entries) {
            if remote.entry.file_size().is_none() {
                continue;
            }
            if let Some(name) = LogicalName::of(remote.entry.path.as_bytes(), rules) {
                by_name.entry(name.path).or_default().push(position);
            }
        }
        BasisIndex { state, by_name }
    }

    /// The file of the same logical name that is closest in size, and of several the newest.
    pub fn find(&self, local: &Entry, rules: &FingerprintRules) -> Option<EntryIndex> {
        let size = local.file_size()?;
        let name = LogicalName::of(local.path.as_bytes(), rules)?;
        let candidates = self.by_name.get(&name.path)?;
        candidates.iter().copied().min_by_key(|&position| {
            let entry = &self.state.entries[position].entry;
            let difference = entry.file_size().unwrap_or(u64::MAX).abs_diff(size);
            (difference, std::cmp::Reverse(entry.mtime), position)
        })
    }
}
