//! The work directory: where a push to one destination keeps its lock, its staging area and its
//! index.
//!
//! It is beside the destination (`.assetsync-NAME` for a destination NAME), where no web server
//! serves it, or inside it as `.assetsync` if the parent is on another file system or not writable:
//! see [`hidden`]. It is always on the destination's file system, so that publishing is renaming.
//! All who may write the destination use the same one: see [`sharing`](super::sharing).

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use assetsync_core::limits;
use assetsync_core::work_names::{COMPLETED, INSIDE, PUSHED};
use assetsync_tree::open_dir;
use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::error::WorkDirError;
use super::hidden;
use super::inherited::{Inherited, make_like};
use super::lock::{Lock, NO_LOCKS, lock};
use super::sharing::{Sharing, create_file, give};

/// A work directory that is only read.
pub struct Existing {
    /// The directory itself.
    pub dir: OwnedFd,
    /// Whether a push has completed to its destination.
    pub was_pushed: bool,
}

impl Existing {
    /// Opens the work directory at `path`, if there is one.
    pub fn open(path: &Path) -> io::Result<Option<Existing>> {
        let outer = match fs::open(path, OFlags::RDONLY, Mode::empty()) {
            Ok(outer) => outer,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let hidden = if is_inside(path) { hidden::find(outer.as_fd())? } else { None };
        let outer_was_pushed = was_pushed(outer.as_fd());
        let dir = match hidden {
            Some(name) => open_dir(outer.as_fd(), name.as_bytes())?,
            None => outer,
        };
        let was_pushed = outer_was_pushed || was_pushed(dir.as_fd());
        Ok(Some(Existing { dir, was_pushed }))
    }
}

fn was_pushed(work: BorrowedFd<'_>) -> bool {
    let is_there = |name: &str| fs::statat(work, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    COMPLETED.into_iter().any(is_there)
}

fn is_inside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == INSIDE)
}

/// A locked work directory: no other push can use it until this value is dropped.
#[derive(Debug)]
pub struct WorkDir {
    /// What is beside or in the destination; it has the lock.
    outer: OwnedFd,
    /// What has everything else: the same, unless it is hidden in that.
    dir: OwnedFd,
    stage: OwnedFd,
    path: PathBuf,
    /// Ends the names of what belongs to one user.
    suffix: String,
    /// The owner of the staging area, if this user is root and it is another.
    owner: Option<fs::Stat>,
    lock: Lock,
}

impl WorkDir {
    /// Opens, creates if needed, and locks the work directory of the destination at `path`.
    pub fn open(destination: BorrowedFd<'_>, path: &Path) -> Result<WorkDir, WorkDirError> {
        let work = choose(destination, path);
        let failed = |source: io::Error| WorkDirError::Io { path: work.clone(), source };
        let sharing = Sharing::of(destination).map_err(failed)?;
        let outer = open_outer(&work, path, &sharing)?;
        let lock = lock(outer.as_fd(), &work)?;
        let opened = open_contents(outer.as_fd(), &work, &sharing);
        let (path, dir) = opened.map_err(failed)?;
        let (suffix, stage) = open_stage(destination, dir.as_fd(), &path).map_err(failed)?;
        let owner = fs::fstat(&stage).map_err(|error| failed(error.into()))?;
        let is_root = rustix::process::geteuid().is_root();
        let owner = Some(owner).filter(|owner| is_root && owner.st_uid != 0);
        Ok(WorkDir { outer, dir, stage, path, suffix, owner, lock })
    }

    /// The directory itself.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The staging area.
    pub fn stage(&self) -> BorrowedFd<'_> {
        self.stage.as_fd()
    }

    /// Gives a staged file that root made to the owner of the staging area.
    pub fn give(&self, file: impl AsFd) -> io::Result<()> {
        self.owner.as_ref().map_or(Ok(()), |owner| give(file.as_fd(), owner))
    }

    /// The directory's path, for spools and messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name in it of the staging area.
    pub fn stage_name(&self) -> String {
        format!("stage{}", self.suffix)
    }

    /// The name in it of a new tree before the exchange, and of the old one after it.
    pub fn tree_name(&self) -> String {
        format!("tree{}", self.suffix)
    }

    /// Whether a push has completed to the destination.
    pub fn was_pushed(&self) -> bool {
        was_pushed(self.outer.as_fd()) || was_pushed(self.dir())
    }

    /// Records outside a hidden directory, for pushes over SFTP, that a push has completed.
    pub fn mark_pushed(&self) -> io::Result<()> {
        if self.was_pushed() && !was_pushed(self.outer.as_fd()) {
            create_file(self.outer.as_fd(), PUSHED)?;
        }
        Ok(())
    }

    /// What the user has to know of it.
    pub fn warning(&self) -> Option<&'static str> {
        self.lock.lease.as_ref().map(|_| NO_LOCKS)
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

/// Opens what is beside or in the destination; it must be one that this user may share.
fn open_outer(work: &Path, destination: &Path, sharing: &Sharing) -> Result<OwnedFd, WorkDirError> {
    let failed = |source: io::Error| WorkDirError::Io { path: work.into(), source };
    match fs::mkdir(work, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(failed(error.into())),
    }
    let other_owner = |owner: u32| {
        let (path, destination) = (work.into(), destination.into());
        WorkDirError::OtherOwner { path, destination, owner }
    };
    let owner = fs::lstat(work).map_err(|error| failed(error.into()))?.st_uid;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = fs::open(work, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::ACCESS => other_owner(owner),
        error => failed(error.into()),
    })?;
    if !sharing.trusts(dir.as_fd()).map_err(failed)? {
        return Err(other_owner(owner));
    }
    sharing.apply(dir.as_fd()).map_err(failed)?;
    let usable = fs::Access::READ_OK | fs::Access::WRITE_OK | fs::Access::EXEC_OK;
    match fs::accessat(&dir, ".", usable, AtFlags::EACCESS) {
        Err(rustix::io::Errno::ACCESS) => Err(other_owner(owner)),
        _ => Ok(dir),
    }
}

fn open_contents(
    outer: BorrowedFd<'_>,
    work: &Path,
    sharing: &Sharing,
) -> io::Result<(PathBuf, OwnedFd)> {
    if is_inside(work) {
        let (name, dir) = hidden::open(outer, sharing)?;
        return Ok((work.join(name), dir));
    }
    Ok((work.into(), outer.try_clone_to_owned()?))
}

/// Opens the staging area, which is this user's alone: nobody else can replace what was verified.
/// Also returns the suffix of its name.
fn open_stage(
    destination: BorrowedFd<'_>,
    work: BorrowedFd<'_>,
    path: &Path,
) -> io::Result<(String, OwnedFd)> {
    let me = rustix::process::geteuid();
    let is_mine = |name: &str| match fs::statat(work, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(stat.st_uid == me.as_raw() || me.is_root()),
        Err(rustix::io::Errno::NOENT) => Ok(true),
        Err(error) => Err(io::Error::from(error)),
    };
    let suffix = if is_mine("stage")? { String::new() } else { format!("-{}", me.as_raw()) };
    let name = format!("stage{suffix}");
    if let Ok(old) = open_dir(work, name.as_bytes()) {
        if Inherited::of(old.as_fd())? == Inherited::of(destination)? {
            return Ok((suffix, old));
        }
        // What is in it does not belong to the destination any more.
        std::fs::remove_dir_all(path.join(&name))?;
    }
    let stage = make_like(destination, work, &name)?;
    Ok((suffix, stage))
}

/// Removes `name` in the staging area, of any kind.
pub fn remove_staged(work: &WorkDir, name: &str) -> io::Result<()> {
    match fs::unlinkat(work.stage(), name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        // The standard library follows no symlinks, not even those that are swapped in meanwhile.
        Err(_) => std::fs::remove_dir_all(work.path().join(work.stage_name()).join(name)),
    }
}
