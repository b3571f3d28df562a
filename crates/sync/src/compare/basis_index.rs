//! Chooses the file a delta is made against: the one of the same logical name.

use std::collections::HashMap;

use assetsync_core::entry::Entry;
use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::state::State;

use crate::scan::logical_name::{FingerprintRules, LogicalName};

/// Files that share a name.
type ByName = HashMap<Vec<u8>, Vec<EntryIndex>>;

/// The destination's files by logical name.
#[derive(Debug)]
pub struct BasisIndex<'a> {
    state: &'a State,
    by_name: ByName,
    /// By their names without any fingerprint.
    by_stem: ByName,
}

impl<'a> BasisIndex<'a> {
    /// All regular files of a state whose names have fingerprints.
    pub fn of(state: &'a State, rules: &FingerprintRules) -> BasisIndex<'a> {
        let (mut by_name, mut by_stem) = (ByName::new(), ByName::new());
        for (position, remote) in Index::enumerate(&state.entries) {
            if remote.entry.file_size().is_none() {
                continue;
            }
            if let Some(name) = LogicalName::of(remote.entry.path.as_bytes(), rules) {
                by_name.entry(name.path.clone()).or_default().push(position);
                by_stem.entry(name.without_fingerprints(rules)).or_default().push(position);
            }
        }
        BasisIndex { state, by_name, by_stem }
    }

    /// The file of the same logical name that is closest in size, and of several the newest. Where
    /// there is none, of the same name without any fingerprint.
    pub fn find(&self, local: &Entry, rules: &FingerprintRules) -> Option<EntryIndex> {
        let size = local.file_size()?;
        let name = LogicalName::of(local.path.as_bytes(), rules)?;
        let candidates = match self.by_name.get(&name.path) {
            Some(candidates) => candidates,
            None => self.by_stem.get(&name.without_fingerprints(rules))?,
        };
        candidates.iter().copied().min_by_key(|&position| {
            let entry = &self.state.entries[position].entry;
            let difference = entry.file_size().unwrap_or(u64::MAX).abs_diff(size);
            (difference, std::cmp::Reverse(entry.mtime), position)
        })
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::{Kind, Mtime};
    use assetsync_core::path::RelPath;
    use assetsync_core::state::RemoteEntry;

    use super::*;

    fn entry(path: &str, size: u64) -> Entry {
        let path = RelPath::new(path.as_bytes()).unwrap();
        Entry { path, kind: Kind::File { size }, mode: 0o644, mtime: Mtime::default() }
    }

    #[test]
    fn names_with_two_fingerprints_find_each_other_where_no_nearer_one_does() {
        let olds = ["chunk-JBRWN2VN-5N6vseOG.js", "chunk-LXBSTHXV-CP6TNQzc.js", "pie-CXvJ_xGQ.js"];
        let remote = |path: &&str| RemoteEntry { entry: entry(path, 9), digest: None };
        let state = State { entries: olds.iter().map(remote).collect(), partials: Vec::new() };
        let rules = FingerprintRules::default();
        let index = BasisIndex::of(&state, &rules);
        let found = |path: &str| index.find(&entry(path, 9), &rules).map(Index::number);
        assert_eq!(found("chunk-LXBSTHXV-GmAZ81Xu.js"), Some(1));
        assert_eq!(found("chunk-4BX2VUAB-DIDmWMKO.js"), Some(0));
        assert_eq!(found("pie-ADFJNKIX-CS__cEty.js"), Some(2));
        assert_eq!(found("gantt-JELNMOA3-DAkh2oA5.js"), None);
    }
}
