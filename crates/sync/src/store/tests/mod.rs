//! The store as a whole: what the tests of all its sides share.

mod concurrent;
mod contents;
mod pruning;
mod steps;

use std::collections::BTreeSet;
use std::ffi::OsStr;

use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_ssh::Target;
use tempfile::TempDir;

use super::layout::StoreFile;
use super::*;

const HOUR: Duration = prune::GRACE;
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A store, and a clock that can be put forward.
struct FreeSpace {
    dir: TempDir,
    now: SystemTime,
}

impl FreeSpace {
    fn new() -> FreeSpace {
        FreeSpace { dir: tempfile::tempdir().unwrap(), now: SystemTime::now() + MINUTE }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn store(&self) -> Store {
        self.bounded(LIMIT_BYTES)
    }

    fn bounded(&self, limit_bytes: u64) -> Store {
        Store::open_limited(&self.path(), limit_bytes).unwrap()
    }

    /// Makes everything that is there older.
    fn pass(&self, time: Duration) {
        for found in self.files() {
            let file = File::options().write(true).open(&found.path).unwrap();
            file.set_modified(found.modified - time).unwrap();
        }
    }

    fn files(&self) -> Vec<StoreFile> {
        let place = StoreDir::create(&self.path()).unwrap();
        let files = [place.packs(), place.states(), place.unfinished()];
        files.into_iter().flat_map(Result::unwrap).collect()
    }

    fn packs(&self) -> Vec<StoreFile> {
        StoreDir::create(&self.path()).unwrap().packs().unwrap()
    }

    fn prune(&self, limit_bytes: u64) -> Pruned {
        self.bounded(limit_bytes).prune_at(self.now).unwrap()
    }
}

fn key(name: &str) -> DestinationKey {
    DestinationKey::new(&Target::parse(OsStr::new(name)).unwrap(), None)
}

/// The content of a number: some shrink, some do not.
fn content(number: u32) -> Vec<u8> {
    let noise = Digest::of(&number.to_le_bytes()).0;
    match number % 3 {
        0 => noise.to_vec(),
        1 => noise.repeat(100),
        _ => {
            let mut long = vec![0; 5000];
            blake3::Hasher::new().update(&noise).finalize_xof().fill(&mut long);
            long
        }
    }
}

fn add(store: &Store, numbers: &[u32]) -> Added {
    let contents: Vec<Vec<u8>> = numbers.iter().map(|&number| content(number)).collect();
    add_contents(store, &contents)
}

fn add_contents(store: &Store, contents: &[Vec<u8>]) -> Added {
    let wanted: Vec<_> =
        contents.iter().map(|content| (Digest::of(content), content.len() as u64)).collect();
    store.add(&wanted, &|position| Ok(contents[position].clone())).unwrap()
}

fn get(store: &Store, number: u32) -> Option<Vec<u8>> {
    let content = content(number);
    store.get(Digest::of(&content).short(), content.len() as u64)
}

fn has(store: &Store, number: u32) -> bool {
    let content = content(number);
    store.has(Digest::of(&content).short(), content.len() as u64)
}

fn entries(numbers: &[u32]) -> Vec<RemoteEntry> {
    let numbers: BTreeSet<u32> = numbers.iter().copied().collect();
    let entry = |number: u32| {
        let content = content(number);
        let path = RelPath::new(format!("{number:010}").as_bytes()).unwrap();
        let kind = Kind::File { size: content.len() as u64 };
        let entry = Entry { path, kind, mode: 0o644, mtime: Mtime::default() };
        RemoteEntry { entry, digest: Some(Digest::of(&content).short()) }
    };
    numbers.into_iter().map(entry).collect()
}

fn id(numbers: &[u32]) -> StateId {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    StateId(Digest::of(&bytes).short().0)
}

fn state(numbers: &[u32]) -> CachedState {
    CachedState { id: id(numbers), past_line: None, entries: entries(numbers) }
}

fn remember(store: &Store, name: &str, numbers: &[u32]) {
    store.remember(&key(name), name, &state(numbers)).unwrap();
}

/// What a push does.
fn push(store: &Store, name: &str, numbers: &[u32]) {
    add(store, numbers);
    remember(store, name, numbers);
}
