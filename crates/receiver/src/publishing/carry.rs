//! Moves entries between a staging area and the destination: by renaming, or, where that is out of
//! reach, by a copy that is renamed into place.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use assetsync_core::path::RelPath;
use assetsync_tree::{metadata_at, open_file, set_mtime};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, openat, readlinkat, renameat, statat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::prepare::set_link_mtime;
use super::publisher::Publisher;

/// Which way an entry is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the staging area to its path.
    In,
    /// From its path to the staging area.
    Out,
}

impl Publisher<'_, '_> {
    /// Moves an entry between `path` and `name` in its staging area.
    pub(super) fn carry(&mut self, way: Way, name: &str, path: &RelPath) -> io::Result<()> {
        match self.rename(way, name, path) {
            // The proof can't see this: it tried renames into every directory, but not into those
            // that the plan creates (mergerfs puts them anywhere).
            Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                self.copy_over(way, name, path)
            }
            done => done,
        }
    }

    /// The same, by renaming only.
    pub(super) fn rename(&mut self, way: Way, name: &str, path: &RelPath) -> io::Result<()> {
        let area = self.areas.of(self.tree, path)?;
        let (parent, file_name) = (self.tree.parent(path)?, path.file_name());
        Ok(match way {
            Way::In => renameat(area, name, parent, file_name),
            Way::Out => renameat(parent, file_name, area, name),
        }?)
    }

    fn copy_over(&mut self, way: Way, name: &str, path: &RelPath) -> io::Result<()> {
        let temporary = self.areas.trial(path.parent().as_ref())?;
        let area = self.areas.of(self.tree, path)?;
        let (parent, file_name) = (self.tree.parent(path)?, path.file_name());
        let ((from, old), (to, new)) = match way {
            Way::In => ((area, name.as_bytes()), (parent, file_name)),
            Way::Out => ((parent, file_name), (area, name.as_bytes())),
        };
        let _ = unlinkat(to, &temporary, AtFlags::empty());
        let copied = copy_entry(from, old, to, &temporary)
            .and_then(|()| Ok(renameat(to, &temporary, to, new)?));
        copied.inspect_err(|_| {
            // A directory with it could not be taken back.
            let _ = unlinkat(to, &temporary, AtFlags::empty());
        })?;
        match (way, unlinkat(from, old, AtFlags::empty())) {
            // What is left in the staging area is removed with it.
            (Way::In, _) => Ok(()),
            (Way::Out, removed) => Ok(removed?),
        }
    }
}

/// Copies a file or a symlink, with its owner if this user is root, its permission bits and time.
pub(super) fn copy_entry(
    from: BorrowedFd<'_>,
    name: &[u8],
    to: BorrowedFd<'_>,
    copy: &str,
) -> io::Result<()> {
    let (stat, metadata) =
        (statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?, metadata_at(from, name)?);
    if let Ok(target) = readlinkat(from, name, Vec::new()) {
        symlinkat(target, to, copy)?;
        give_copy(to, copy, &stat)?;
        return set_link_mtime(to, copy, metadata.mtime);
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut old = open_file(from, name)?;
    let mut new = File::from(openat(to, copy, flags, Mode::RUSR | Mode::WUSR)?);
    io::copy(&mut old, &mut new)?;
    give_copy(to, copy, &stat)?;
    match fchmod(&new, Mode::from_raw_mode(stat.st_mode & 0o7777)) {
        // A file system without permission bits: all files have the same.
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {}
        done => done?,
    }
    set_mtime(&new, metadata.mtime)?;
    assetsync_tree::sync(&new)
}

/// Only root can give a copy the owner of what was copied.
fn give_copy(dir: BorrowedFd<'_>, copy: &str, like: &Stat) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    match chownat(dir, copy, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
        // A file system without owners, or with those of its mount.
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => Ok(()),
        given => Ok(given?),
    }
}
