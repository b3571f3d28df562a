//! Finds the destination directory.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use assetsync_core::protocol::Hello;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, open};

use super::file_names::FileNames;
use super::lookup::{Found, look_up};
use super::protection;
use crate::error::AgentError;

/// The directory that is pushed to.
pub struct Destination {
    /// The directory.
    pub found: Found,
    /// If files are pushed and not a directory: their names.
    pub names: Option<FileNames>,
}

/// Opens the destination, creating it and its parents except in a dry run; `None` if it does not
/// exist then. It must be `within` a directory, if one is given. If files may be deleted, protected
/// directories are refused before anything is created.
pub fn open_destination(
    hello: &Hello,
    within: Option<&Path>,
) -> Result<Option<Destination>, AgentError> {
    let asked = &hello.destination;
    let failed = |source: io::Error| {
        let path = assetsync_core::text::name(asked);
        AgentError::Destination { path, source }
    };
    let mut path = resolve(asked).map_err(failed)?;
    let mut names = None;
    if !hello.files.is_empty() {
        let placed = FileNames::place(&path, hello).map_err(failed)?;
        (path, names) = (placed.0, Some(placed.1));
    }
    if hello.deletes {
        protection::check(&path)?;
    }
    let root_mode = (!hello.dry_run).then_some(hello.root_mode);
    let opened = look_up(&path, root_mode, within).map_err(failed)?;
    if let (true, Some(opened)) = (hello.deletes, &opened) {
        protection::check(&opened.path)?;
    }
    Ok(opened.map(|found| Destination { found, names }))
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
    let path = resolve(asked).ok()?;
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

/// `~/` is the home directory and `~USER/` that of a user, as in a shell; relative paths start at
/// the agent's directory, which after a login is also the home directory.
fn resolve(asked: &[u8]) -> io::Result<PathBuf> {
    let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
    let Some(below) = asked.strip_prefix(b"~") else { return Ok(path(asked)) };
    let slash = below.iter().position(|&byte| byte == b'/');
    let (user, rest) = below.split_at(slash.unwrap_or(below.len()));
    let home = match user {
        b"" => std::env::var_os("HOME").map_or_else(|| ".".into(), PathBuf::from),
        user => protection::home_of_user(user).ok_or_else(|| no_home(user))?,
    };
    // A slash at the end stays: it says that this is a directory.
    Ok(if rest.is_empty() { home } else { home.join(path(&rest[1..])) })
}

fn no_home(user: &[u8]) -> io::Error {
    let user = assetsync_core::text::name(user);
    let text = format!(
        "the host's /etc/passwd has no home directory of a user {user}; write the path in full, or \
         ./~{user} for a directory of that name"
    );
    io::Error::new(io::ErrorKind::NotFound, text)
}
