//! Publishing a whole directory in one step: a new tree, built in the work directory, is exchanged
//! with the destination.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use assetsync_core::entry::Kind;
use assetsync_tree::is_mount_point;
use rustix::fs::{
    Access, AtFlags, Mode, OFlags, RenameFlags, chmodat, fstat, linkat, mkdirat, open, openat,
    renameat_with, statat, unlinkat,
};
use rustix::process::geteuid;

use super::proof::facts::facts;
use crate::survey::scan::scan_whole;
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

/// Checks, before anything is changed, that the destination open as `root` can be exchanged: it has
/// a work directory beside it, and their file system supports hard links and exchanging
/// directories.
pub fn check(work: &WorkDir, root: BorrowedFd<'_>, path: &Path) -> Result<(), ExchangeUnsupported> {
    let failed =
        |reason: String| ExchangeUnsupported { path: assetsync_core::text::path(path), reason };
    if work.path().starts_with(path) {
        let reason = "its parent directory is on another file system or can't be written";
        return Err(failed(reason.into()));
    }
    if is_mount_point(root) {
        return Err(failed("it is a mount point".into()));
    }
    let parent = parent_of(path).map_err(|error| failed(error.to_string()))?;
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

fn parent_of(path: &Path) -> io::Result<rustix::fd::OwnedFd> {
    let parent = path.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(open(parent, flags, Mode::empty())?)
}

/// Exchanges the new tree with the destination at `path`, which is open as `root`. The new tree
/// must be durable.
pub fn exchange(work: &WorkDir, root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let parent = parent_of(path)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let (held, there) = (fstat(root)?, statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?);
    if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino) {
        return Err(io::Error::other("another process replaced the destination meanwhile"));
    }
    renameat_with(work.dir(), work.tree_name(), &parent, name, RenameFlags::EXCHANGE)?;
    assetsync_tree::sync(&parent)?;
    assetsync_tree::sync(work.dir())
}

/// Removes the tree in the work directory, if there is one: an unfinished or an old one.
pub fn remove(work: &WorkDir) -> io::Result<()> {
    let path = work.path().join(work.tree_name());
    // The standard library follows no symlinks, not even those that are swapped in meanwhile.
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(work)?;
            std::fs::remove_dir_all(&path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes all directories of the tree accessible to the owner, so that they can be removed.
fn make_writable(work: &WorkDir) -> io::Result<()> {
    let name = work.tree_name();
    chmodat(work.dir(), &name, Mode::RWXU, AtFlags::empty())?;
    let tree = assetsync_tree::open_dir(work.dir(), name.as_bytes())?;
    let opened = scan_whole(tree.as_fd(), &mut |found| {
        if found.entry.kind == Kind::Dir {
            let name = found.entry.path.file_name();
            chmodat(found.parent, name, Mode::RWXU, AtFlags::empty())?;
        }
        Ok(())
    });
    opened.map_err(|error| error.source)
}
