//! Publishing a whole directory in one step: a new tree, built in the work directory, is exchanged
//! with the destination.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assetsync_tree::is_mount_point;
use rustix::fs::{
    Access, AtFlags, Mode, OFlags, RenameFlags, fstat, linkat, mkdirat, openat, renameat_with,
    statat, unlinkat,
};
use rustix::process::geteuid;

use super::proof::facts::{facts, gives_project};
use crate::work::work_dir::WorkDir;

/// Why a destination can't be exchanged as a whole.
#[derive(Debug, thiserror::Error)]
#[error("Can't publish {path} as a whole: {reason}; nothing was published")]
pub struct ExchangeUnsupported {
    /// The destination.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Where a whole directory is exchanged.
pub struct ExchangePoint {
    /// The destination's path.
    pub path: PathBuf,
    /// The directory it is in, which is held; not that of the root.
    pub parent: Option<OwnedFd>,
}

impl ExchangePoint {
    /// The directory it is in, such that it can be synced.
    fn parent(&self) -> io::Result<OwnedFd> {
        let parent = self.parent.as_ref().ok_or(io::ErrorKind::InvalidFilename)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(parent, ".", flags, Mode::empty())?)
    }
}

/// Checks, before anything is changed, that the destination open as `root` can be exchanged: it has
/// a work directory beside it, and their file system supports hard links and exchanging
/// directories.
pub fn check(
    work: &WorkDir,
    root: BorrowedFd<'_>,
    point: &ExchangePoint,
) -> Result<(), ExchangeUnsupported> {
    let path = assetsync_core::text::path(&point.path);
    let failed = |reason: String| ExchangeUnsupported { path: path.clone(), reason };
    if work.path().starts_with(&point.path) {
        let reason = "its parent directory is on another file system or can't be written";
        return Err(failed(reason.into()));
    }
    if is_mount_point(root) {
        return Err(failed("it is a mount point".into()));
    }
    let parent = point.parent().map_err(|error| failed(error.to_string()))?;
    match cannot_be_moved(work, root, parent.as_fd()) {
        Ok(None) => {}
        Ok(Some(reason)) => return Err(failed(reason.into())),
        Err(error) => return Err(failed(error.to_string())),
    }
    rustix::fs::accessat(&parent, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
        .map_err(|_| failed("its parent directory can't be written".into()))?;
    probe(work).map_err(|error| failed(format!("the file system can't do that ({error})")))
}

/// Why this user can't move the destination to the work directory, if so.
fn cannot_be_moved(
    work: &WorkDir,
    root: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
) -> io::Result<Option<&'static str>> {
    let (it, above, me) = (facts(root, b"")?, facts(parent, b"")?, geteuid());
    let mine = |owner: u32| me.is_root() || owner == me.as_raw();
    let is_writable =
        || rustix::fs::accessat(root, ".", Access::WRITE_OK, AtFlags::EACCESS).is_ok();
    let is_sticky = above.mode & 0o1000 != 0;
    Ok(if it.immutable || it.append_only {
        Some("it is immutable or append-only")
    } else if it.reach != facts(work.dir(), b"")?.reach {
        Some("a rename from its parent directory does not reach it")
    } else if gives_project(root) != gives_project(work.dir()) {
        Some("its files belong to a project, to which those of its parent directory do not")
    } else if is_sticky && !mine(above.owner) && !mine(it.owner) {
        Some("it belongs to another user, and its parent directory has the sticky bit")
    } else if !mine(it.owner) && !is_writable() {
        Some("it belongs to another user, and moving it would change it")
    } else {
        None
    })
}

/// The error for a destination to parts of which a rename from the work directory does not reach.
pub fn out_of_reach(path: &Path) -> ExchangeUnsupported {
    let reason = "a rename from its parent directory does not reach all of it: there are mount \
                  points, subvolumes or projects";
    ExchangeUnsupported { path: assetsync_core::text::path(path), reason: reason.into() }
}

/// Tries an exchange and a hard link in the staging area.
fn probe(work: &WorkDir) -> io::Result<()> {
    let (stage, names) = (work.stage(), ["probe.1", "probe.2"]);
    let tried = names.iter().try_for_each(|name| mkdirat(stage, *name, Mode::RWXU));
    let tried =
        tried.and_then(|()| renameat_with(stage, names[0], stage, names[1], RenameFlags::EXCHANGE));
    for name in names {
        let _ = unlinkat(stage, name, AtFlags::REMOVEDIR);
    }
    tried?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let tried = openat(stage, names[0], flags | OFlags::CLOEXEC, Mode::RUSR)
        .and_then(|_| linkat(stage, names[0], stage, names[1], AtFlags::empty()));
    for name in names {
        let _ = unlinkat(stage, name, AtFlags::empty());
    }
    Ok(tried?)
}

/// A new tree that was not exchanged with the destination.
#[derive(Debug)]
pub struct ExchangeFailure {
    /// Why.
    pub source: io::Error,
    /// Whether it is live all the same: it could not be exchanged back.
    pub is_live: bool,
}

/// Exchanges the new tree with the destination, which is open as `root`. The new tree must be
/// durable.
pub fn exchange(
    work: &WorkDir,
    root: BorrowedFd<'_>,
    point: &ExchangePoint,
) -> Result<(), ExchangeFailure> {
    let parent = point.parent().map_err(not_live)?;
    let name = point.path.file_name().unwrap_or_default();
    is_held(root, parent.as_fd(), name.as_bytes()).map_err(not_live)?;
    let tree = work.tree_name();
    let swap = || renameat_with(work.dir(), &tree, &parent, name, RenameFlags::EXCHANGE);
    swap().map_err(|error| not_live(error.into()))?;
    let done = is_held(root, work.dir(), tree.as_bytes())
        .and_then(|()| assetsync_tree::sync(&parent))
        .and_then(|()| assetsync_tree::sync(work.dir()));
    done.map_err(|source| ExchangeFailure { source, is_live: swap().is_err() })
}

fn not_live(source: io::Error) -> ExchangeFailure {
    ExchangeFailure { source, is_live: false }
}

/// Checks that `name` in `parent` is the directory open as `root`.
fn is_held(root: BorrowedFd<'_>, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let (held, there) = (fstat(root)?, statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?);
    match (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino) {
        true => Ok(()),
        false => Err(io::Error::other("another process replaced the destination meanwhile")),
    }
}

/// Removes the tree in the work directory, if there is one: an unfinished or an old one.
pub fn remove(work: &WorkDir) -> io::Result<()> {
    assetsync_tree::remove_all(work.dir(), work.tree_name().as_bytes())
}

/// Removes the old tree after the exchange, which is held: whatever has its name is not emptied.
pub fn remove_old(work: &WorkDir, old: OwnedFd) -> io::Result<()> {
    assetsync_tree::empty(old)?;
    Ok(unlinkat(work.dir(), work.tree_name(), AtFlags::REMOVEDIR)?)
}
