//! The sender's store: contents that were pushed, and what every destination held after its last
//! push.
//!
//! With them the next push makes patches instead of asking for signatures, and both sides speak of
//! differences instead of lists. Everything here is a hint: a content counts only if its BLAKE3 is
//! right, a state only if the destination has it too. What is lost or damaged costs bytes, never
//! correctness.
//!
//! Contents are in packs, one for each push that brought some; a state is a file of its own, and so
//! is a history of deploys. All is written under another name and then renamed, so any number of
//! pushes can use a store at once, and prune it meanwhile.

pub(crate) mod destination_cache;
mod destination_key;
mod error;
mod explain;
mod history_file;
pub(crate) mod last_push;
pub(crate) mod layout;
mod open_packs;
pub(crate) mod pack;
mod pack_index;
mod prune;
pub(crate) mod state_file;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime};

use assetsync_core::digest::{Digest, ShortDigest};
use assetsync_core::state::{RemoteEntry, StateId};
use assetsync_ssh::Target;
use etcetera::BaseStrategy;
use etcetera::base_strategy::choose_native_strategy;
use rayon::prelude::*;

pub use self::destination_key::DestinationKey;
pub use self::error::StoreError;
pub use self::explain::Explanation;
use self::last_push::LastPush;
use self::layout::{LIMIT_BYTES, StoreDir};
use self::open_packs::OpenPacks;
pub use self::pack::CONTENT_BYTES;
use self::pack::{PackWriter, Packer};
pub use self::prune::Pruned;
use self::state_file::StateFile;
pub use self::status::{CachedDestination, StoreStatus};
use crate::cost::line::PastLine;

/// The cached state of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedState {
    /// The id of its state.
    pub id: StateId,
    /// What is known about the line to it.
    pub past_line: Option<PastLine>,
    /// The entries, in tree order.
    pub entries: Vec<RemoteEntry>,
}

/// How often a store is pruned that has no other need of it.
const PRUNED_EVERY: Duration = Duration::from_secs(24 * 3600);

/// An open store. Threads can share it.
#[derive(Debug)]
pub struct Store {
    place: StoreDir,
    limit_bytes: u64,
    shelf: RwLock<OpenPacks>,
    /// Held while contents are added: pushes of one source to several destinations bring the same
    /// ones.
    adding: Mutex<()>,
}

/// The result of adding contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Contents.
    pub contents: u64,
    /// Bytes of these contents.
    pub bytes: u64,
    /// Bytes they take in the store.
    pub packed_bytes: u64,
}

impl Store {
    /// Opens the store in the directory `path`, and makes it if there is none. It takes 2 GiB at
    /// most, but for what the pushes of the last hour added.
    pub fn open(path: &Path) -> Result<Store, StoreError> {
        Store::open_limited(path, LIMIT_BYTES)
    }

    /// The same with another limit.
    fn open_limited(path: &Path, limit_bytes: u64) -> Result<Store, StoreError> {
        Store::at(StoreDir::create(path)?, limit_bytes)
    }

    /// Where the store is unless another directory is named: in the user's cache directory. `None`
    /// if that is not known.
    pub fn default_path() -> Option<PathBuf> {
        Some(choose_native_strategy().ok()?.cache_dir().join("assetsync/store"))
    }

    /// Opens a store that is there already; nothing is made.
    pub fn open_existing(path: &Path) -> Result<Option<Store>, StoreError> {
        StoreDir::find(path)?.map(|place| Store::at(place, LIMIT_BYTES)).transpose()
    }

    fn at(place: StoreDir, limit_bytes: u64) -> Result<Store, StoreError> {
        let store =
            Store { place, limit_bytes, shelf: RwLock::default(), adding: Mutex::default() };
        store.refresh()?;
        Ok(store)
    }

    /// The store's directory.
    pub(crate) fn path(&self) -> &Path {
        self.place.root()
    }

    /// Whether a content should be here, by its short digest and its size in bytes.
    pub(crate) fn has(&self, digest: ShortDigest, size: u64) -> bool {
        self.shelf().has(digest, size)
    }

    /// A content, checked against its whole digest; `None` if it is not here or damaged.
    pub fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>> {
        let content = self.shelf().get(digest, size);
        if content.is_none() && self.has(digest, size) {
            self.open_packs_mut().note_damaged(digest);
        }
        content
    }

    /// Adds contents, given by digest and size in bytes, as far as they are not here yet: they
    /// become one pack.
    ///
    /// `read` gives a content by its position in `wanted`; threads of rayon's pool call it, several
    /// at once. Whoever adds meanwhile waits, and so must not be a thread of a pool that another
    /// one adds with. Left out are contents that can't be read or are not what was said, empty
    /// ones, those larger than [`CONTENT_BYTES`], and what would be over the store's limit all by
    /// itself.
    pub(crate) fn add(
        &self,
        wanted: &[(Digest, u64)],
        read: &(dyn Fn(usize) -> io::Result<Vec<u8>> + Sync),
    ) -> Result<Added, StoreError> {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh()?;
        let missing = self.missing(wanted);
        if missing.is_empty() {
            return Ok(Added::default());
        }
        let packs = self.place.packs_dir();
        let (added, packed_bytes) = self
            .write_pack(&packs, wanted, missing, read)
            .map_err(StoreError::io("write to", &packs))?;
        self.refresh()?;
        self.open_packs_mut().note_added(added.iter().map(|&position| wanted[position].0.short()));
        let bytes = added.iter().map(|&position| wanted[position].1).sum();
        Ok(Added { contents: added.len() as u64, bytes, packed_bytes })
    }

    /// Gives the positions of what was written, and the bytes it takes.
    fn write_pack(
        &self,
        dir: &Path,
        wanted: &[(Digest, u64)],
        missing: Vec<usize>,
        read: &(dyn Fn(usize) -> io::Result<Vec<u8>> + Sync),
    ) -> io::Result<(Vec<usize>, u64)> {
        let writer = PackWriter::create(dir)?;
        let limit = prune::contents_limit(self.limit_bytes);
        let add = |packer: &mut Packer, position: usize| {
            let (digest, size) = wanted[position];
            let content = if writer.bytes() < limit { read(position).ok() } else { None };
            let Some(content) = content.filter(|content| is(content, digest, size)) else {
                return Ok(None);
            };
            writer.append(digest, size as u32, packer.pack(&content)?)?;
            Ok(Some(position))
        };
        let added =
            missing.into_par_iter().map_init(Packer::new, |packer, position| match packer {
                Ok(packer) => add(packer, position),
                Err(error) => Err(error.kind().into()),
            });
        let added: Vec<usize> = added.filter_map(Result::transpose).collect::<io::Result<_>>()?;
        let packed_bytes = writer.bytes();
        writer.finish(None)?;
        Ok((added, packed_bytes))
    }

    /// The positions of what could be added, each content once.
    fn missing(&self, wanted: &[(Digest, u64)]) -> Vec<usize> {
        let (shelf, mut seen) = (self.shelf(), HashSet::new());
        let is_missing = |&position: &usize| {
            let (digest, size) = wanted[position];
            (1..=CONTENT_BYTES).contains(&size)
                && !shelf.has(digest.short(), size)
                && seen.insert(digest)
        };
        (0..wanted.len()).filter(is_missing).collect()
    }

    /// Sees which packs are there now.
    fn refresh(&self) -> Result<(), StoreError> {
        self.open_packs_mut().refresh(&self.place)
    }

    /// The state of a destination after the last push to it: the state's id, and all entries in
    /// tree order.
    pub(crate) fn state(&self, destination: &DestinationKey) -> Option<CachedState> {
        let bytes = fs::read(self.state_path(destination)).ok()?;
        let file = StateFile::open(&bytes)?;
        Some(CachedState { id: file.id, past_line: file.past_line, entries: file.entries()? })
    }

    /// Remembers what a destination holds now: all its entries, in tree order. `name` is the
    /// destination as people write it.
    pub(crate) fn remember(
        &self,
        destination: &DestinationKey,
        name: &str,
        state: &CachedState,
    ) -> Result<(), StoreError> {
        let path = self.state_path(destination);
        let CachedState { id, past_line, entries } = state;
        if is_remembered(&path, name, *past_line, id) {
            return touch(&path).map_err(StoreError::io("touch", &path));
        }
        write(&path, state_file::encode(name, *past_line, id, entries))
    }

    /// The history of deploys that a destination had when it was last heard of.
    pub(crate) fn history(&self, destination: &DestinationKey) -> Option<Vec<u8>> {
        let bytes = fs::read(self.history_path(destination)).ok()?;
        history_file::open(bytes)
    }

    /// Remembers the history of a destination; an empty one is forgotten.
    pub(crate) fn remember_history(
        &self,
        destination: &DestinationKey,
        history: &[u8],
    ) -> Result<(), StoreError> {
        let path = self.history_path(destination);
        if history.is_empty() {
            return remove_if_there(&path).map(drop);
        }
        write(&path, Ok(history_file::encode(history)))
    }

    fn history_path(&self, destination: &DestinationKey) -> PathBuf {
        self.place.histories_dir().join(destination.to_string())
    }

    /// How the file at `path`, below a destination or below what was pushed there, travelled in the
    /// last push from here that changed the destination. `None` if no such push is remembered;
    /// `port` is used where the target names none.
    pub fn explain(&self, target: &Target, port: Option<u16>, path: &str) -> Option<Explanation> {
        let key = DestinationKey::new(target, port);
        let entries = || self.state(&key).map(|state| state.entries).unwrap_or_default();
        explain::explain(&self.push_path(&key), entries, path)
    }

    /// Remembers what a push did with each file.
    pub(crate) fn remember_push(
        &self,
        destination: &DestinationKey,
        push: &LastPush,
    ) -> Result<(), StoreError> {
        write(&self.push_path(destination), push.encode())
    }

    fn push_path(&self, destination: &DestinationKey) -> PathBuf {
        self.place.pushes_dir().join(destination.to_string())
    }

    /// Forgets a destination; `false` if it was not known.
    #[cfg(test)]
    fn forget(&self, destination: &DestinationKey) -> Result<bool, StoreError> {
        remove_if_there(&self.history_path(destination))?;
        remove_if_there(&self.state_path(destination))
    }

    fn state_path(&self, destination: &DestinationKey) -> PathBuf {
        self.place.states_dir().join(destination.to_string())
    }

    /// The sizes and destinations of the store.
    pub fn status(&self) -> Result<StoreStatus, StoreError> {
        status::status(&self.place, self.limit_bytes)
    }

    /// Drops contents that no destination has any more, destinations that nobody pushed to for 90
    /// days, and what is over the limit: then contents go that only those destinations have that
    /// were not pushed to for longest. What was added in the last hour stays.
    pub fn prune(&self) -> Result<Pruned, StoreError> {
        self.prune_at(SystemTime::now())
    }

    /// Deletes all contents and states, even those of the last hour.
    pub fn clear(&self) -> Result<Pruned, StoreError> {
        let _lock = self.lock()?;
        let pruned = prune::clear(&self.place);
        self.refresh()?;
        pruned
    }

    /// Prunes if it is due and no other process is pruning. Called at the end of every push.
    pub fn prune_if_due(&self) -> Result<Option<Pruned>, StoreError> {
        let now = SystemTime::now();
        if !self.is_due(now)? {
            return Ok(None);
        }
        match self.prune_at(now) {
            Err(StoreError::Busy(_)) => Ok(None),
            pruned => pruned.map(Some),
        }
    }

    fn prune_at(&self, now: SystemTime) -> Result<Pruned, StoreError> {
        let lock = self.lock()?;
        let pruned = prune::prune(&self.place, self.limit_bytes, now);
        self.refresh()?;
        // Where that fails, the next push prunes again.
        let _ = lock.set_modified(now);
        pruned
    }

    fn is_due(&self, now: SystemTime) -> Result<bool, StoreError> {
        let is_old = |then: SystemTime, limit: Duration| layout::age(now, then) >= limit;
        let packs = self.place.packs()?;
        let old_packs = packs.iter().filter(|found| is_old(found.modified, prune::GRACE)).count();
        Ok(old_packs > prune::MAX_PACKS
            || self.place.pruned().is_none_or(|then| is_old(then, PRUNED_EVERY))
            || prune::bytes(&self.place)? > self.limit_bytes)
    }

    fn lock(&self) -> Result<File, StoreError> {
        self.place.try_lock()?.ok_or_else(|| StoreError::Busy(self.path().into()))
    }

    fn shelf(&self) -> RwLockReadGuard<'_, OpenPacks> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_packs_mut(&self) -> RwLockWriteGuard<'_, OpenPacks> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file of the store as a whole, or not at all.
fn write(path: &Path, bytes: io::Result<Vec<u8>>) -> Result<(), StoreError> {
    let written = bytes.and_then(|bytes| {
        let mut file = layout::new_file(path.parent().unwrap_or(Path::new("")))?;
        file.write_all(&bytes)?;
        Ok(file.persist(path)?)
    });
    written.map(drop).map_err(StoreError::io("write", path))
}

fn is(content: &[u8], digest: Digest, size: u64) -> bool {
    content.len() as u64 == size && Digest::of(content) == digest
}

/// Whether the file already has exactly these bytes: a push that changed nothing need not write it
/// again.
fn is_remembered(path: &Path, name: &str, past_line: Option<PastLine>, id: &StateId) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let wanted = (name, past_line, id);
    StateFile::open(&bytes).is_some_and(|file| (&*file.name, file.past_line, &file.id) == wanted)
}

/// `false` if there was nothing.
fn remove_if_there(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("delete", path)(error)),
    }
}

fn touch(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.set_modified(SystemTime::now())
}
