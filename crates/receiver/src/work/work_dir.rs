//! The work directory: where a push to one destination keeps its lock, its staging area and its
//! index.
//!
//! It is beside the destination (`.assetsync-NAME` for a destination NAME), where no web server
//! serves it, or inside it as `.assetsync` if the parent is on another file system or not writable.
//! It is always on the destination's file system, so that publishing is renaming.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use assetsync_core::work_names::{COMPLETED, INSIDE};
use assetsync_core::{limits, text};
use assetsync_tree::open_dir;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};

/// Whether a push has completed to the destination of this work directory.
pub fn was_pushed(work: BorrowedFd<'_>) -> bool {
    let is_there = |name: &str| fs::statat(work, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    COMPLETED.into_iter().any(is_there)
}

/// A locked work directory: no other push can use it until this value is dropped.
#[derive(Debug)]
pub struct WorkDir {
    dir: OwnedFd,
    stage: OwnedFd,
    path: PathBuf,
    /// The system releases the lock when this is closed, however the process ends.
    _lock: File,
}

/// Why there is no work directory.
#[derive(Debug, thiserror::Error)]
pub enum WorkDirError {
    /// Another push has locked it.
    #[error("Another push to this destination is running ({holder}); try again when it has ended")]
    Locked {
        /// The other push's process and age.
        holder: String,
    },
    /// It belongs to another user.
    #[error("{} belongs to user {owner}; push as that user, or remove it", text::path(.path))]
    OtherOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// An I/O error.
    #[error("Can't use {}: {source}", text::path(.path))]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl WorkDir {
    /// Opens, creates if needed, and locks the work directory of the destination at `path`.
    pub fn open(destination: BorrowedFd<'_>, path: &Path) -> Result<WorkDir, WorkDirError> {
        let work = choose(destination, path);
        let failed = |source: io::Error| WorkDirError::Io { path: work.clone(), source };
        match fs::mkdir(&work, Mode::RWXU) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(failed(error.into())),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::open(&work, flags, Mode::empty()).map_err(|error| failed(error.into()))?;
        check_owner(&dir, destination, &work)?;
        let lock = lock(dir.as_fd(), &work)?;
        let stage = make_dir(dir.as_fd(), "stage").map_err(failed)?;
        Ok(WorkDir { dir, stage, path: work, _lock: lock })
    }

    /// The directory itself.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The staging area.
    pub fn stage(&self) -> BorrowedFd<'_> {
        self.stage.as_fd()
    }

    /// The directory's path, for spools and messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The work directory's path for a destination; nothing is created.
pub fn choose(destination: BorrowedFd<'_>, path: &Path) -> PathBuf {
    let inside = path.join(INSIDE);
    beside(destination, path).filter(|_| !inside.exists()).unwrap_or(inside)
}

/// The path beside the destination, if the work directory can be there.
fn beside(destination: BorrowedFd<'_>, path: &Path) -> Option<PathBuf> {
    let (parent, name) = (path.parent()?, path.file_name()?);
    let work = [INSIDE.as_bytes(), b"-", name.as_bytes()].concat();
    let work = parent.join(OsString::from_vec(work));
    let same_fs = fs::fstat(destination).ok()?.st_dev == fs::stat(parent).ok()?.st_dev;
    let short = work.file_name()?.len() <= limits::NAME_BYTES;
    let writable = fs::access(parent, fs::Access::WRITE_OK | fs::Access::EXEC_OK).is_ok();
    (same_fs && short && (writable || work.is_dir())).then_some(work)
}

/// Refuse a directory of another user: they could replace staged files.
fn check_owner(
    dir: &OwnedFd,
    destination: BorrowedFd<'_>,
    path: &Path,
) -> Result<(), WorkDirError> {
    let failed =
        |error: rustix::io::Errno| WorkDirError::Io { path: path.into(), source: error.into() };
    let owner = fs::fstat(dir).map_err(failed)?.st_uid;
    let of_destination = fs::fstat(destination).map_err(failed)?.st_uid;
    let me = rustix::process::geteuid();
    let fine = owner == me.as_raw() || (me.is_root() && owner == of_destination);
    if fine { Ok(()) } else { Err(WorkDirError::OtherOwner { path: path.into(), owner }) }
}

fn lock(dir: BorrowedFd<'_>, path: &Path) -> Result<File, WorkDirError> {
    let failed = |source: io::Error| WorkDirError::Io { path: path.into(), source };
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = fs::openat(dir, "lock", flags, Mode::RUSR | Mode::WUSR);
    let mut file = File::from(opened.map_err(|error| failed(error.into()))?);
    match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(WorkDirError::Locked { holder: holder(&file) });
        }
        Err(error) => return Err(failed(error.into())),
    }
    let written = file.set_len(0).and_then(|()| write!(file, "process {}", std::process::id()));
    written.map_err(failed)?;
    Ok(file)
}

/// The process that has the lock, and its age, from the lock file.
fn holder(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = [0; 64];
    let count = file.read_at(&mut bytes, 0).unwrap_or(0);
    let since = file.metadata().map(|meta| meta.mtime()).unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.map_or(0, |now| now.as_secs() as i64 - since).max(0);
    format!("{}, started {age} s ago", text::line(&bytes[..count]))
}

fn make_dir(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    match fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => open_dir(parent, name.as_bytes()),
        Err(error) => Err(error.into()),
    }
}

/// Removes `name` in the staging area, of any kind.
pub fn remove_staged(work: &WorkDir, name: &str) -> io::Result<()> {
    match fs::unlinkat(work.stage(), name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        // The standard library follows no symlinks, not even those that are swapped in meanwhile.
        Err(_) => std::fs::remove_dir_all(work.path().join("stage").join(name)),
    }
}
