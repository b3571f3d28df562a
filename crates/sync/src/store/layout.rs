//! Where a store's files are. Only files whose names a store gives are ever touched.
//!
//! ```text
//! assetsync-store.lock   marks the directory as a store; held while it is pruned, touched at the end of that
//! CACHEDIR.TAG           asks programs that make backups to leave it out
//! packs/NAME.pack        contents: 16 letters and digits
//! states/KEY             what a destination holds: 32 hexadecimal digits
//! histories/KEY          what a destination's history of deploys was: 32 hexadecimal digits
//! pushes/KEY             what the last push to a destination did: 32 hexadecimal digits
//! */new-NAME             being written
//! ```

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

use super::error::StoreError;

const LOCK: &str = "assetsync-store.lock";
const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55
# This directory is a cache of assetsync. It can be deleted at any time; the next push then sends more.
";
const NEW: &str = "new-";
const PACK: &str = ".pack";
const PACK_LETTERS: usize = 16;
const KEY_DIGITS: usize = 32;

/// Bytes a store may take where nothing else is said (2 GiB).
pub const LIMIT_BYTES: u64 = 2 << 30;

/// A directory that is a store.
#[derive(Debug)]
pub struct StoreDir {
    root: PathBuf,
}

/// A file of a store.
#[derive(Debug, Clone)]
pub struct StoreFile {
    /// Where.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its time of last modification.
    pub modified: SystemTime,
}

impl StoreDir {
    /// Makes `root` a store if it is none; its owner alone may enter.
    pub fn create(root: &Path) -> Result<StoreDir, StoreError> {
        make_dir(root)?;
        let lock = root.join(LOCK);
        // In this order: another process may be making the same store.
        let is_empty = list(root)?.next().is_none();
        if !lock.exists() {
            if !is_empty {
                return Err(StoreError::NotAStore(root.into()));
            }
            open_lock(&lock).map_err(StoreError::io("create", &lock))?;
            // Nothing depends on it.
            let _ = fs::write(root.join(TAG), TAG_TEXT);
        }
        let place = StoreDir { root: root.into() };
        make_dir(&place.packs_dir())?;
        make_dir(&place.states_dir())?;
        make_dir(&place.histories_dir())?;
        make_dir(&place.pushes_dir())?;
        Ok(place)
    }

    /// The store at `root`, if there is one.
    pub fn find(root: &Path) -> Result<Option<StoreDir>, StoreError> {
        match fs::metadata(root.join(LOCK)) {
            Ok(_) => StoreDir::create(root).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("look into", root)(error)),
        }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of packs.
    pub fn packs_dir(&self) -> PathBuf {
        self.root.join("packs")
    }

    /// The directory of states.
    pub fn states_dir(&self) -> PathBuf {
        self.root.join("states")
    }

    /// The directory of histories.
    pub fn histories_dir(&self) -> PathBuf {
        self.root.join("histories")
    }

    /// The directory of records of pushes.
    pub fn pushes_dir(&self) -> PathBuf {
        self.root.join("pushes")
    }

    /// All packs, the newest first.
    pub fn packs(&self) -> Result<Vec<StoreFile>, StoreError> {
        files(&self.packs_dir(), is_pack)
    }

    /// All states, the newest first.
    pub fn states(&self) -> Result<Vec<StoreFile>, StoreError> {
        files(&self.states_dir(), is_state)
    }

    /// All histories, the newest first.
    pub fn histories(&self) -> Result<Vec<StoreFile>, StoreError> {
        files(&self.histories_dir(), is_state)
    }

    /// All records of pushes, the newest first.
    pub fn pushes(&self) -> Result<Vec<StoreFile>, StoreError> {
        files(&self.pushes_dir(), is_state)
    }

    /// Files whose writing has not ended.
    pub fn unfinished(&self) -> Result<Vec<StoreFile>, StoreError> {
        let mut found = files(&self.packs_dir(), is_new)?;
        found.append(&mut files(&self.states_dir(), is_new)?);
        found.append(&mut files(&self.histories_dir(), is_new)?);
        found.append(&mut files(&self.pushes_dir(), is_new)?);
        Ok(found)
    }

    /// Takes the lock, if nobody has it; the system gives it back when the file is closed.
    pub fn try_lock(&self) -> Result<Option<File>, StoreError> {
        let path = self.root.join(LOCK);
        let failed = StoreError::io("lock", &path);
        let file = match open_lock(&path) {
            Ok(file) => file,
            Err(error) => return Err(failed(error)),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// When the store was last pruned, or else made.
    pub fn pruned(&self) -> Option<SystemTime> {
        fs::metadata(self.root.join(LOCK)).and_then(|metadata| metadata.modified()).ok()
    }
}

/// A file to write in `dir`, which goes by itself unless it is given its place.
pub fn new_file(dir: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(NEW).rand_bytes(PACK_LETTERS).tempfile_in(dir)
}

/// The path for a pack that was written as `file`.
pub fn pack_path(file: &NamedTempFile) -> PathBuf {
    let name = file.path().file_name().unwrap_or_default().to_string_lossy();
    let letters = name.strip_prefix(NEW).unwrap_or(&name);
    file.path().with_file_name(format!("{letters}{PACK}"))
}

/// How long ago something was; what lies far in the future was never, or the clock was wrong: it is
/// old.
pub fn age(now: SystemTime, then: SystemTime) -> Duration {
    const SKEW: Duration = Duration::from_secs(3600);
    match now.duration_since(then) {
        Ok(age) => age,
        Err(ahead) if ahead.duration() <= SKEW => Duration::ZERO,
        Err(_) => Duration::MAX,
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

fn make_dir(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(StoreError::io("create", path))
}

fn list(dir: &Path) -> Result<impl Iterator<Item = fs::DirEntry>, StoreError> {
    Ok(fs::read_dir(dir).map_err(StoreError::io("list", dir))?.flatten())
}

/// The regular files of `dir` with names as wanted, the newest first. One that goes meanwhile is
/// left out.
fn files(dir: &Path, is_wanted: fn(&str) -> bool) -> Result<Vec<StoreFile>, StoreError> {
    let wanted = list(dir)?.filter(|entry| entry.file_name().to_str().is_some_and(is_wanted));
    let found = wanted.filter_map(|entry| StoreFile::new(entry.path(), &entry.metadata().ok()?));
    let mut found: Vec<StoreFile> = found.collect();
    found.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(&b.path)));
    Ok(found)
}

impl StoreFile {
    fn new(path: PathBuf, metadata: &Metadata) -> Option<StoreFile> {
        let modified = metadata.modified().ok()?;
        metadata.is_file().then_some(StoreFile { path, bytes: metadata.len(), modified })
    }
}

fn is_pack(name: &str) -> bool {
    name.strip_suffix(PACK).is_some_and(|name| {
        name.len() == PACK_LETTERS && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn is_state(name: &str) -> bool {
    name.len() == KEY_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_new(name: &str) -> bool {
    name.starts_with(NEW)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_store_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let place = StoreDir::create(&dir.path().join("a/b")).unwrap();
        for path in [place.root(), &place.packs_dir(), &place.states_dir()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert!(fs::read_to_string(place.root().join(TAG)).unwrap().starts_with("Signature: 8a4"));
        StoreDir::create(place.root()).unwrap();
    }

    #[test]
    fn other_directories_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(StoreDir::find(dir.path()).unwrap().is_none());
        assert!(StoreDir::find(&dir.path().join("missing")).unwrap().is_none());
        fs::write(dir.path().join("thesis.txt"), "x").unwrap();
        assert!(matches!(StoreDir::create(dir.path()), Err(StoreError::NotAStore(_))));
        assert!(matches!(
            StoreDir::create(&dir.path().join("thesis.txt")),
            Err(StoreError::Io { .. })
        ));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_own_names_count() {
        let dir = tempfile::tempdir().unwrap();
        let place = StoreDir::create(&dir.path().join("store")).unwrap();
        let own = pack_path(&new_file(&place.packs_dir()).unwrap());
        fs::write(&own, "x").unwrap();
        for name in ["photo.pack", "0123456789abcdef", "0123456789abcdef.pack.txt"] {
            fs::write(place.packs_dir().join(name), "x").unwrap();
        }
        fs::create_dir(place.packs_dir().join("0123456789abcdef.pack")).unwrap();
        let found: Vec<PathBuf> = place.packs().unwrap().into_iter().map(|it| it.path).collect();
        assert_eq!(found, [own]);
        assert!(place.states().unwrap().is_empty());
        fs::write(place.states_dir().join("0123456789abcdef0123456789abcdef"), "x").unwrap();
        assert_eq!(place.states().unwrap().len(), 1);
        drop(new_file(&place.states_dir()).unwrap().keep().unwrap());
        assert_eq!(place.unfinished().unwrap().len(), 1);
    }

    #[test]
    fn one_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let place = StoreDir::create(&dir.path().join("store")).unwrap();
        let held = place.try_lock().unwrap();
        assert!(held.is_some() && place.try_lock().unwrap().is_none());
        drop(held);
        assert!(place.try_lock().unwrap().is_some());
    }
}
