//! The status of a store, for people.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use super::error::StoreError;
use super::layout::{LIMIT_BYTES, StoreDir, StoreFile};
use super::pack::Pack;
use super::prune;
use super::state_file::StateFile;

/// The status of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreStatus {
    /// Its directory.
    pub path: PathBuf,
    /// Bytes it may take.
    pub limit_bytes: u64,
    /// Bytes it takes.
    pub bytes: u64,
    /// Contents it holds.
    pub contents: u64,
    /// Bytes of these contents, unpacked.
    pub contents_bytes: u64,
    /// Packs they are in.
    pub packs: u64,
    /// Packs and states that are damaged, and count nowhere else.
    pub damaged: u64,
    /// Destinations it remembers; the one pushed to last comes first.
    pub destinations: Vec<CachedDestination>,
}

/// A destination that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedDestination {
    /// Its name for people.
    pub name: String,
    /// When it was last pushed to.
    pub pushed: SystemTime,
    /// Regular files there.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

/// That of a store that is not there.
impl Default for StoreStatus {
    fn default() -> StoreStatus {
        StoreStatus {
            path: PathBuf::new(),
            limit_bytes: LIMIT_BYTES,
            bytes: 0,
            contents: 0,
            contents_bytes: 0,
            packs: 0,
            damaged: 0,
            destinations: Vec::new(),
        }
    }
}

/// Looks at everything but contents.
pub fn status(place: &StoreDir, limit_bytes: u64) -> Result<StoreStatus, StoreError> {
    let (packs, states) = (place.packs()?, place.states()?);
    let files = packs.len() + states.len();
    let destinations: Vec<CachedDestination> = states.iter().filter_map(cached).collect();
    let (mut held, mut open_packs, mut contents_bytes) = (HashSet::new(), 0, 0);
    for pack in packs.into_iter().filter_map(|found| Pack::open(found).ok().flatten()) {
        open_packs += 1;
        for slot in pack.index().iter().filter(|slot| held.insert(slot.digest)) {
            contents_bytes += u64::from(slot.size);
        }
    }
    Ok(StoreStatus {
        path: place.root().into(),
        limit_bytes,
        bytes: prune::bytes(place)?,
        contents: held.len() as u64,
        contents_bytes,
        packs: open_packs,
        damaged: (files - destinations.len()) as u64 - open_packs,
        destinations,
    })
}

fn cached(found: &StoreFile) -> Option<CachedDestination> {
    let bytes = fs::read(&found.path).ok()?;
    let file = StateFile::open(&bytes)?;
    let entries = file.entries()?;
    let sizes: Vec<u64> = entries.iter().filter_map(|remote| remote.entry.file_size()).collect();
    let (files, bytes) = (sizes.len() as u64, sizes.iter().sum());
    Some(CachedDestination { name: file.name, pushed: found.modified, files, bytes })
}
