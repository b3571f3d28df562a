//! Clones a tree: directories are created, everything else is hard-linked.
//!
//! Nothing of the old tree changes except the link count of its files (and with it their ctime).

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_tree::{is_mount_point, open_dir, open_file};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown,
    fgetxattr, flistxattr, flistxattr_query, fsetxattr, fstat, futimens, linkat, mkdirat, openat,
};
use rustix::io::Errno;

use crate::survey::scan::{ScanError, ScannedEntry, scan_whole};

/// Clones the tree at `old` as `name` in `parent`. Files for which `is_copied` returns `true` are
/// copied, as they will be changed in place; everything else is linked. Returns the new root.
pub fn clone_tree(
    old: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &str,
    is_copied: &mut impl FnMut(&ScannedEntry<'_>) -> io::Result<bool>,
) -> Result<OwnedFd, ScanError> {
    let root = Level::make(parent, name.as_bytes(), old, None).map_err(at_root)?;
    let new = root.dir.try_clone().map_err(at_root)?;
    let mut levels = vec![root];
    scan_whole(old, &mut |found| {
        while levels.last().is_some_and(|level| level.path != found.entry.path.parent()) {
            levels.pop().map_or(Ok(()), Level::finish)?;
        }
        let into = levels.last().ok_or(io::ErrorKind::NotFound)?.dir.as_fd();
        let name = found.entry.path.file_name();
        match found.entry.kind {
            Kind::Dir => {
                let like = open_dir(found.parent, name)?;
                let path = Some(found.entry.path.clone());
                let level = Level::make(into, name, like.as_fd(), path)?;
                levels.push(level);
            }
            _ if is_copied(&found)? => copy(found.parent, name, into)?,
            _ => match linkat(found.parent, name, into, name, AtFlags::empty()) {
                // Files of other users are linked only for those who may write them.
                Err(Errno::PERM) if is_file(&found) => copy(found.parent, name, into)?,
                linked => linked?,
            },
        }
        Ok(())
    })?;
    while let Some(level) = levels.pop() {
        level.finish().map_err(at_root)?;
    }
    Ok(new)
}

fn is_file(found: &ScannedEntry<'_>) -> bool {
    matches!(found.entry.kind, Kind::File { .. })
}

fn at_root(source: io::Error) -> ScanError {
    ScanError { path: ".".into(), source }
}

/// A directory that is being filled. Its metadata is set last: until then it must be writable.
struct Level {
    path: Option<RelPath>,
    dir: OwnedFd,
    like: OwnedFd,
}

impl Level {
    fn make(
        parent: BorrowedFd<'_>,
        name: &[u8],
        like: BorrowedFd<'_>,
        path: Option<RelPath>,
    ) -> io::Result<Level> {
        if is_mount_point(like) {
            return Err(io::Error::other("something else is mounted there"));
        }
        mkdirat(parent, name, Mode::RWXU)?;
        Ok(Level { path, dir: open_dir(parent, name)?, like: like.try_clone_to_owned()? })
    }

    fn finish(self) -> io::Result<()> {
        copy_metadata(self.dir.as_fd(), self.like.as_fd())
    }
}

/// Copies a file with its metadata.
fn copy(parent: BorrowedFd<'_>, name: &[u8], into: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut old = open_file(parent, name)?;
    let mut new = File::from(openat(into, name, flags, Mode::RUSR | Mode::WUSR)?);
    io::copy(&mut old, &mut new)?;
    copy_metadata(new.as_fd(), old.as_fd())
}

/// Sets owner, extended attributes, permission bits and times to those of `like`, in an order in
/// which none resets another.
pub(super) fn copy_metadata(new: BorrowedFd<'_>, like: BorrowedFd<'_>) -> io::Result<()> {
    let (stat, mine) = (fstat(like)?, fstat(new)?);
    if (stat.st_uid, stat.st_gid) != (mine.st_uid, mine.st_gid) {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        match fchown(new, Some(uid), Some(gid)) {
            // Only root can give a file away.
            Err(Errno::PERM) => fchown(new, None, Some(gid))?,
            given => given?,
        }
    }
    copy_attributes(new, like)?;
    fchmod(new, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    Ok(futimens(new, &times(&stat))?)
}

fn times(stat: &Stat) -> Timestamps {
    let last_access = Timespec { tv_sec: stat.st_atime as _, tv_nsec: stat.st_atime_nsec as _ };
    let last_modification =
        Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ };
    Timestamps { last_access, last_modification }
}

/// Copies access control lists and security labels that the new file does not have already.
fn copy_attributes(new: BorrowedFd<'_>, like: BorrowedFd<'_>) -> io::Result<()> {
    /// The kernel returns no longer lists and values (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
    const MOST_BYTES: usize = 64 * 1024;
    let length = match flistxattr_query(like) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Ok(length) => length,
        Err(error) => return Err(error.into()),
    };
    let mut names = vec![0; length.min(MOST_BYTES)];
    let length = flistxattr(like, &mut names[..])?;
    let (mut wanted, mut there) = (vec![0; MOST_BYTES], vec![0; MOST_BYTES]);
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let wanted_bytes = fgetxattr(like, name, &mut wanted[..])?;
        let has = fgetxattr(new, name, &mut there[..]);
        if has.is_ok_and(|bytes| there[..bytes] == wanted[..wanted_bytes]) {
            continue;
        }
        fsetxattr(new, name, &wanted[..wanted_bytes], XattrFlags::empty())?;
    }
    Ok(())
}
