//! Finds out whether two names are one to a file system, which may ignore case or Unicode
//! normalization, by trying it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_tree::{FileMetadata, OpenTree, open_dir};
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, statat, unlinkat};

/// The name of the directory in the staging area where names are tried.
const TRIES: &str = "names";

/// Whether two names are the same entry. Inode numbers can't be used on file systems that number
/// names (sshfs, some network file systems), nor ctime if it is cached for each name; so the
/// metadata that a push sets is compared.
pub fn is_one(a: &FileMetadata, b: &FileMetadata) -> bool {
    let of = |file_metadata: &FileMetadata| {
        let kind = std::mem::discriminant(&file_metadata.kind);
        let size = if let Kind::File { size } = file_metadata.kind { size } else { 0 };
        (kind, size, file_metadata.mode, file_metadata.mtime)
    };
    of(a) == of(b)
}

/// Whether two paths are one at the destination `tree`: by comparing the entries, or, if neither
/// exists, by trying both names in the staging area. Without a staging area, they count as two.
pub fn are_one(
    tree: &mut OpenTree,
    stage: Option<BorrowedFd<'_>>,
    path: &RelPath,
    other: &RelPath,
) -> io::Result<bool> {
    match (tree.file_metadata(path)?, tree.file_metadata(other)?, stage) {
        (Some(a), Some(b), _) => Ok(is_one(&a, &b)),
        (None, None, Some(stage)) => are_one_name(stage, path, other),
        _ => Ok(false),
    }
}

fn are_one_name(stage: BorrowedFd<'_>, path: &RelPath, other: &RelPath) -> io::Result<bool> {
    if path.names().count() != other.names().count() {
        return Ok(false);
    }
    match mkdirat(stage, TRIES, Mode::RWXU) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let tries = open_dir(stage, TRIES.as_bytes())?;
    let mut are_one = true;
    for (a, b) in path.names().zip(other.names()).filter(|(a, b)| a != b) {
        are_one = are_one && leads_to(tries.as_fd(), a, b)?;
    }
    unlinkat(stage, TRIES, AtFlags::REMOVEDIR)?;
    Ok(are_one)
}

/// Whether a file created as `a` is found as `b`.
fn leads_to(dir: BorrowedFd<'_>, a: &[u8], b: &[u8]) -> io::Result<bool> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    drop(openat(dir, a, flags, Mode::RUSR | Mode::WUSR)?);
    let found = statat(dir, b, AtFlags::SYMLINK_NOFOLLOW);
    unlinkat(dir, a, AtFlags::empty())?;
    match found {
        Ok(_) => Ok(true),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::INVAL) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
