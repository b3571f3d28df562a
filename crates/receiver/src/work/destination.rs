//! Finds the destination directory.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use assetsync_core::entry::CARRIED_MODE;
use assetsync_core::protocol::Hello;
use assetsync_tree::make_dir;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, open};

use super::protection;
use crate::error::AgentError;

/// The destination directory and its path without symlinks.
pub struct Destination {
    /// The directory.
    pub dir: OwnedFd,
    /// Its path.
    pub path: PathBuf,
}

/// Opens the destination, creating it and its parents except in a dry run; `None` if it does not
/// exist then. Symlinks in the path are followed: `current/public` may be one. If files may be
/// deleted, protected directories are refused before anything is created.
pub fn open_destination(hello: &Hello) -> Result<Option<Destination>, AgentError> {
    let asked = &hello.destination;
    let path = resolve(asked);
    if hello.deletes {
        protection::check(&path)?;
    }
    let root_mode = (!hello.dry_run).then_some(hello.root_mode);
    let opened = open_dir(&path, root_mode).map_err(|source| AgentError::Destination {
        path: assetsync_core::text::name(asked),
        source,
    })?;
    if let (true, Some(opened)) = (hello.deletes, &opened) {
        protection::check(&opened.path)?;
    }
    Ok(opened)
}

/// Whether this user may publish at `asked`: it, or the nearest existing directory above it, is
/// writable.
pub fn is_writable(asked: &[u8]) -> bool {
    nearest(asked).is_some_and(|(dir, meta)| meta.is_dir() && can_write_dir(&dir, &meta))
}

/// The directory at `asked`, or the nearest above it that exists: it is on the same file system.
pub fn open_nearest(asked: &[u8]) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    nearest(asked).and_then(|(dir, _)| open(dir, flags, Mode::empty()).ok())
}

/// `asked`, or the nearest existing path above it, and its metadata.
fn nearest(asked: &[u8]) -> Option<(PathBuf, std::fs::Metadata)> {
    let path = resolve(asked);
    for dir in path.ancestors() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match std::fs::metadata(dir) {
            Ok(meta) => return Some((dir.to_path_buf(), meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

fn can_write_dir(dir: &Path, meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    match accessat(CWD, dir, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => true,
        // The owner can change the permission bits.
        Err(rustix::io::Errno::ACCESS) => meta.uid() == rustix::process::geteuid().as_raw(),
        Err(_) => false,
    }
}

/// `~/` is the home directory, as in a shell; relative paths start at the agent's directory, which
/// after a login is also the home directory.
fn resolve(asked: &[u8]) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    match asked.strip_prefix(b"~") {
        Some(b"") => home().unwrap_or_else(|| ".".into()),
        Some([b'/', rest @ ..]) => home().map_or_else(|| path(asked), |home| home.join(path(rest))),
        _ => path(asked),
    }
}

/// Opens the directory at `path`; with a mode, makes it if it does not exist.
fn open_dir(path: &Path, root_mode: Option<u32>) -> io::Result<Option<Destination>> {
    if let Some(root_mode) = root_mode {
        make_with_parents(path, root_mode)?;
    }
    let path = match std::fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound && root_mode.is_none() => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = open(&path, flags, Mode::empty())?;
    Ok(Some(Destination { dir, path }))
}

/// Makes the directory at `path`, and the parents that do not exist so that a web server running as
/// another user gets through.
fn make_with_parents(path: &Path, mode: u32) -> io::Result<()> {
    const OF_PARENTS: u32 = 0o755;
    let mut missing = Vec::new();
    for dir in path.ancestors() {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        match std::fs::metadata(dir) {
            Ok(meta) if meta.is_dir() => break,
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(dir),
            Err(error) => return Err(error),
        }
    }
    while let Some(dir) = missing.pop() {
        let mode = if missing.is_empty() { (mode & CARRIED_MODE) | 0o700 } else { OF_PARENTS };
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = open(parent.unwrap_or(Path::new(".")), flags, Mode::empty())?;
        let name = dir.file_name().map_or(&b"."[..], OsStrExt::as_bytes);
        match make_dir(parent.as_fd(), name, mode) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            // Another push may have made it meanwhile; `..` after a name that did not exist is
            // there.
            _ => {}
        }
    }
    Ok(())
}
