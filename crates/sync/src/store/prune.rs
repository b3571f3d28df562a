//! Pruning: deletes contents that no destination has any more, and merges small packs.
//!
//! Whatever is younger than [`GRACE`] stays as it is: it may belong to a push that has not
//! remembered its state yet. Readers have their packs open, and so lose nothing either.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use assetsync_core::digest::ShortDigest;
use rayon::prelude::*;

use super::error::StoreError;
use super::layout::{StoreDir, StoreFile, age};
use super::pack::{Pack, PackWriter};
use super::pack_index::{SLOT_BYTES, Slot};
use super::state_file::StateFile;

/// Younger files are left as they are.
pub const GRACE: Duration = Duration::from_secs(3600);

/// An unfinished file that has not been written to for this long is deleted.
const UNFINISHED_LIFE: Duration = Duration::from_secs(24 * 3600);

/// States of destinations without a push for this long are deleted (90 days).
pub const STATE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

/// Small packs are merged when there are more than this.
pub const MAX_PACKS: usize = 16;

/// How many are left after merging. Fewer would mean that packs are rewritten more often.
const PACKS_AFTER_MERGE: usize = 8;

/// The part of a store's limit that states may take. They are small, and worth more a byte than
/// contents.
const STATES_PART: u64 = 4;

/// The result of pruning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Destinations that were forgotten.
    pub destinations: u64,
    /// Contents that are no longer here.
    pub contents: u64,
    /// Bytes by which the store became smaller.
    pub freed_bytes: u64,
}

/// How many bytes of contents may be kept.
pub fn contents_limit(limit_bytes: u64) -> u64 {
    limit_bytes - limit_bytes / STATES_PART
}

/// Bytes of all files.
pub fn bytes(place: &StoreDir) -> Result<u64, StoreError> {
    let records = [place.histories()?, place.pushes()?].concat();
    let files = [place.packs()?, place.states()?, records, place.unfinished()?];
    Ok(files.iter().flatten().map(|found| found.bytes).sum())
}

/// Forgets all destinations and all contents. The caller holds the lock.
pub fn clear(place: &StoreDir) -> Result<Pruned, StoreError> {
    let before = bytes(place)?;
    let (packs, states) = (place.packs()?, place.states()?);
    let held = packs.iter().filter_map(|found| Pack::open(found.clone()).ok().flatten());
    let contents = distinct(held.flat_map(|pack| pack.index().iter().collect::<Vec<_>>()));
    let others = [packs, place.histories()?, place.pushes()?, place.unfinished()?];
    for found in states.iter().chain(others.iter().flatten()) {
        remove(&found.path)?;
    }
    let freed_bytes = before - bytes(place)?.min(before);
    Ok(Pruned { destinations: states.len() as u64, contents, freed_bytes })
}

/// Prunes to at most `limit_bytes`, but for what is young. The caller holds the lock.
pub fn prune(place: &StoreDir, limit_bytes: u64, now: SystemTime) -> Result<Pruned, StoreError> {
    let before = bytes(place)?;
    let given_up = |found: &&StoreFile| age(now, found.modified) >= UNFINISHED_LIFE;
    place.unfinished()?.iter().filter(given_up).try_for_each(|found| remove(&found.path))?;
    let packs = open(place, now)?;
    let all = distinct(packs.iter().flat_map(|pack| pack.index().iter()));
    let (young, old): (Vec<Pack>, Vec<Pack>) =
        packs.into_iter().partition(|pack| is_young(&pack.found, now));
    let mut choice = KeepSet::new(&young, &old, limit_bytes);
    let destinations = choose(place, &mut choice, limit_bytes, now)?;
    forget_records(place, now)?;
    let thorough = before > limit_bytes;
    rewrite(place, &old, choice.kept, thorough)?;
    let left = open(place, now)?;
    let left_contents = distinct(left.iter().flat_map(|pack| pack.index().iter()));
    Ok(Pruned {
        destinations,
        contents: all - left_contents.min(all),
        freed_bytes: before - bytes(place)?.min(before),
    })
}

/// Opens all packs, the newest first. Damaged ones are deleted, unless they are young.
fn open(place: &StoreDir, now: SystemTime) -> Result<Vec<Pack>, StoreError> {
    let mut packs = Vec::new();
    for found in place.packs()? {
        match Pack::open(found.clone()) {
            Ok(Some(pack)) => packs.push(pack),
            Ok(None) if !is_young(&found, now) => remove(&found.path)?,
            // What can't be opened now may be later.
            Ok(None) | Err(_) => {}
        }
    }
    Ok(packs)
}

fn distinct(slots: impl Iterator<Item = Slot>) -> u64 {
    slots.map(|slot| slot.digest).collect::<HashSet<_>>().len() as u64
}

fn is_young(found: &StoreFile, now: SystemTime) -> bool {
    age(now, found.modified) < GRACE
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("delete", path)(error))
        }
        _ => Ok(()),
    }
}

/// Which contents of old packs are kept: those of the states used last, within the limit.
struct KeepSet {
    /// Bytes that each content of old packs takes.
    sizes: HashMap<ShortDigest, u64>,
    /// Contents of young packs need not be kept in old ones.
    young: HashSet<ShortDigest>,
    kept: HashSet<ShortDigest>,
    room: u64,
}

impl KeepSet {
    fn new(young: &[Pack], old: &[Pack], limit_bytes: u64) -> KeepSet {
        let size = |slot: Slot| (slot.digest.short(), u64::from(slot.packed) + SLOT_BYTES as u64);
        let taken: u64 = young.iter().map(|pack| pack.found.bytes).sum();
        let digests = young.iter().flat_map(|pack| pack.index().iter());
        KeepSet {
            sizes: old.iter().flat_map(|pack| pack.index().iter().map(size)).collect(),
            young: digests.map(|slot| slot.digest.short()).collect(),
            kept: HashSet::new(),
            room: contents_limit(limit_bytes).saturating_sub(taken),
        }
    }

    fn keep(&mut self, digest: ShortDigest) {
        let Some(&size) = self.sizes.get(&digest) else { return };
        if size <= self.room && !self.young.contains(&digest) && self.kept.insert(digest) {
            self.room -= size;
        }
    }
}

/// Forgets states that are damaged, not used any more, or too much; keeps the contents of the
/// others. Gives how many were forgotten.
fn choose(
    place: &StoreDir,
    choice: &mut KeepSet,
    limit_bytes: u64,
    now: SystemTime,
) -> Result<u64, StoreError> {
    let (mut forgotten, mut room) = (0, limit_bytes / STATES_PART);
    for found in place.states()? {
        let is_used = age(now, found.modified) < STATE_LIFE && found.bytes <= room;
        match digests(&found.path) {
            Ok(Some(digests)) if is_used => {
                room -= found.bytes;
                digests.into_iter().for_each(|digest| choice.keep(digest));
            }
            Ok(_) => {
                remove(&found.path)?;
                forgotten += 1;
            }
            // It was deleted meanwhile, or can't be read now but may be later.
            Err(_) => {}
        }
    }
    Ok(forgotten)
}

/// Forgets the histories and records of pushes of destinations that are forgotten, unless they are
/// young.
fn forget_records(place: &StoreDir, now: SystemTime) -> Result<(), StoreError> {
    for found in [place.histories()?, place.pushes()?].concat() {
        let name = found.path.file_name().unwrap_or_default();
        if !is_young(&found, now) && !place.states_dir().join(name).exists() {
            remove(&found.path)?;
        }
    }
    Ok(())
}

/// The digests of all files of a state; `None` if it is damaged.
fn digests(path: &Path) -> io::Result<Option<Vec<ShortDigest>>> {
    let bytes = fs::read(path)?;
    let entries = StateFile::open(&bytes).and_then(|file| file.entries());
    Ok(entries.map(|entries| entries.iter().filter_map(|entry| entry.digest).collect()))
}

/// An old pack, and what of it is kept.
struct PackUsage<'p> {
    pack: &'p Pack,
    live: Vec<Slot>,
    live_bytes: u64,
    dead_bytes: u64,
}

impl<'p> PackUsage<'p> {
    /// Takes from `wanted` what the pack holds.
    fn of(pack: &'p Pack, wanted: &mut HashSet<ShortDigest>) -> PackUsage<'p> {
        let mut part = PackUsage { pack, live: Vec::new(), live_bytes: 0, dead_bytes: 0 };
        for slot in pack.index().iter() {
            let bytes = u64::from(slot.packed) + SLOT_BYTES as u64;
            if wanted.remove(&slot.digest.short()) {
                part.live.push(slot);
                part.live_bytes += bytes;
            } else {
                part.dead_bytes += bytes;
            }
        }
        part
    }

    /// Half of a pack may be unreferenced before it is worth rewriting the other half.
    fn is_worth_it(&self, thorough: bool) -> bool {
        self.dead_bytes > 0 && (thorough || self.dead_bytes > self.live_bytes)
    }
}

/// Deletes dead packs, and makes one of those that are half dead or too many.
fn rewrite(
    place: &StoreDir,
    old: &[Pack],
    mut wanted: HashSet<ShortDigest>,
    thorough: bool,
) -> Result<(), StoreError> {
    // The newest first, so that of two copies the newer one stays.
    let parts = old.iter().map(|pack| PackUsage::of(pack, &mut wanted));
    let (mut merged, mut kept): (Vec<_>, Vec<_>) =
        parts.partition(|part| part.is_worth_it(thorough));
    if kept.len() + 1 > MAX_PACKS {
        kept.sort_by_key(|part| std::cmp::Reverse(part.live_bytes));
        merged.extend(kept.drain(PACKS_AFTER_MERGE..));
    }
    write_merged(place, &merged).map_err(StoreError::io("write", &place.packs_dir()))?;
    merged.iter().try_for_each(|part| remove(&part.pack.found.path))
}

/// Writes what lives of several packs into one, which is as old as the newest of them.
fn write_merged(place: &StoreDir, parts: &[PackUsage<'_>]) -> io::Result<()> {
    if parts.iter().all(|part| part.live.is_empty()) {
        return Ok(());
    }
    let writer = PackWriter::create(&place.packs_dir())?;
    let slots =
        parts.par_iter().flat_map(|part| part.live.par_iter().map(|slot| (part.pack, slot)));
    slots.try_for_each(|(pack, slot)| match pack.get_packed(slot) {
        Some(packed) => writer.append(slot.digest, slot.size, &packed),
        None => Ok(()),
    })?;
    writer.finish(parts.iter().map(|part| part.pack.found.modified).max())?;
    Ok(())
}
