//! The packs that are open: what can be had at once.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use assetsync_core::digest::ShortDigest;

use super::error::StoreError;
use super::layout::StoreDir;
use super::pack::Pack;

/// Most packs that are held open; contents of more, which are the oldest, are not found. Where so
/// many come together, pruning merges them; a process may have 256 files open on some systems.
const OPEN_PACKS: usize = 64;

/// The packs that are open.
#[derive(Debug, Default)]
pub struct OpenPacks {
    /// The newest first: it is the one that mends what is damaged in older ones.
    packs: Vec<Pack>,
    /// The sizes of all their contents, in bytes: most questions are about contents that are not
    /// here.
    sizes: HashMap<ShortDigest, u64>,
    /// Contents that turned out to be damaged everywhere.
    damaged: HashSet<ShortDigest>,
}

impl OpenPacks {
    /// Opens the packs at `place` that are not open yet, and closes those that are not there any
    /// more. Those that can't be read hold nothing.
    pub fn refresh(&mut self, place: &StoreDir) -> Result<(), StoreError> {
        let found = place.packs()?.into_iter().take(OPEN_PACKS);
        let mut open: HashMap<PathBuf, Pack> =
            self.packs.drain(..).map(|pack| (pack.found.path.clone(), pack)).collect();
        let packs = found.filter_map(|found| match open.remove(&found.path) {
            Some(pack) => Some(pack),
            None => Pack::open(found).ok().flatten(),
        });
        self.packs = packs.collect();
        let slots = self.packs.iter().flat_map(|pack| pack.index().iter());
        self.sizes = slots.map(|slot| (slot.digest.short(), u64::from(slot.size))).collect();
        Ok(())
    }

    /// Whether a content should be here.
    pub fn has(&self, digest: ShortDigest, size: u64) -> bool {
        self.sizes.get(&digest) == Some(&size) && !self.damaged.contains(&digest)
    }

    /// A content, if it is here and undamaged.
    pub fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>> {
        self.packs.iter().find_map(|pack| pack.get(digest, size))
    }

    /// Notes that a content can't be had, so that it is added again.
    pub fn note_damaged(&mut self, digest: ShortDigest) {
        self.damaged.insert(digest);
    }

    /// Notes that contents were added, which therefore are not damaged.
    pub fn note_added(&mut self, digests: impl Iterator<Item = ShortDigest>) {
        digests.for_each(|digest| _ = self.damaged.remove(&digest));
    }
}
