//! Finds the destination on the server.

use assetsync_core::path::{RelPath, is_of_directory};
use assetsync_core::protected::{Place, protected};
use assetsync_core::protocol::FailureCode;
use assetsync_core::work_names::is_work_dir_name;
use assetsync_ssh::sftp::Change;

use super::host::{SftpHost, optional};
use super::names;
use crate::error::PushError;

/// Where the destination is.
#[derive(Debug, Default)]
pub struct Located {
    /// Its path without links, or `None` if it does not exist.
    pub root: Option<Vec<u8>>,
    /// What the only file of a push of files is called there, if it gets another name.
    pub renamed: Option<RelPath>,
}

/// The directory that files go into, as [`locate`]. As for `cp`, it is `server_path`, unless there
/// is one file and no directory there: then that is the file's path.
pub fn locate_files(
    remote: &mut SftpHost<'_>,
    server_path: &[u8],
    create: Option<u32>,
    names: &[RelPath],
) -> Result<Located, PushError> {
    refuse_user(remote, server_path)?;
    let path = names::server_path(server_path);
    if names.len() != 1 || is_of_directory(server_path) || is_dir(remote, &path)? {
        return locate(remote, server_path, create, false);
    }
    let slash = path.iter().rposition(|&byte| byte == b'/');
    let (dir, name) = path.split_at(slash.map_or(0, |slash| slash + 1));
    if is_work_dir_name(name) {
        let text = ".assetsync and .assetsync-* are names of assetsync's work directories";
        return Err(remote.fail(FailureCode::Other, &path, text));
    }
    let name = RelPath::new(name)
        .map_err(|error| remote.fail(FailureCode::Other, &path, &error.to_string()))?;
    let located = locate(remote, if dir.is_empty() { b"." } else { dir }, create, false)?;
    Ok(Located { renamed: Some(name), ..located })
}

fn is_dir(remote: &mut SftpHost<'_>, path: &[u8]) -> Result<bool, PushError> {
    let looked = remote.session.stat_all(&[path]).map_err(|error| remote.refused(&error))?;
    Ok(looked.into_iter().flatten().any(|attributes| attributes.is_dir()))
}

/// SFTP has no home directories of other users; a directory called `~USER` is hardly meant.
fn refuse_user(remote: &SftpHost<'_>, path: &[u8]) -> Result<(), PushError> {
    match path {
        [b'~', byte, ..] if *byte != b'/' => {
            let text = "over SFTP, the home directory of another user can't be found; write the \
                        path in full, or ./~... for a directory of that name";
            Err(remote.fail(FailureCode::Other, path, text))
        }
        _ => Ok(()),
    }
}

/// The path of the destination without links, or none if it does not exist. With a mode for it,
/// it and its parents are created, whatever the server's umask is: they are to be served. If
/// anything may be deleted, a [protected] directory is refused before anything is created.
pub fn locate(
    remote: &mut SftpHost<'_>,
    server_path: &[u8],
    create: Option<u32>,
    deletes: bool,
) -> Result<Located, PushError> {
    refuse_user(remote, server_path)?;
    let server_path = names::server_path(server_path);
    let Ancestors { missing, existing } = ancestors(remote, &server_path)?;
    if deletes && !missing.is_empty() {
        let root: &[u8] = if server_path.starts_with(b"/") { b"/" } else { b"." };
        let base = remote.session.realpath(existing.unwrap_or(root));
        let base = base.map_err(|error| remote.refused(&error))?;
        let rest = &server_path[existing.map_or(0, <[u8]>::len)..];
        refuse_protected(remote, &names::settled(&base, rest))?;
    }
    match create {
        Some(mode) => make_dirs(remote, &missing, mode)?,
        None if missing.is_empty() => {}
        None => return Ok(Located::default()),
    }
    let root = remote.session.realpath(&server_path).map_err(|error| remote.refused(&error))?;
    if !root.starts_with(b"/") || root.contains(&0) {
        return Err(remote.fail(
            FailureCode::Protocol,
            &root,
            "the server gave this as the absolute path of the destination",
        ));
    }
    if deletes {
        refuse_protected(remote, &names::settled(&root, b""))?;
    }
    Ok(Located { root: Some(root), renamed: None })
}

/// Makes a directory of this mode, the first one, and its parents, the innermost first.
fn make_dirs(remote: &mut SftpHost<'_>, missing: &[&[u8]], mode: u32) -> Result<(), PushError> {
    let mode = |at| if at == 0 { mode | 0o700 } else { 0o755 };
    for (at, path) in missing.iter().enumerate().rev() {
        if let Err(error) = remote.session.mkdir(path, mode(at)) {
            // Another push may have made it meanwhile.
            let there = remote.session.lstat(path);
            if !there.is_ok_and(|there| there.is_dir()) {
                return Err(remote.refused(&error));
            }
        }
    }
    let looked = remote.session.lstat_all(missing).map_err(|error| remote.refused(&error))?;
    let mut changes = Vec::new();
    for ((at, path), there) in missing.iter().enumerate().zip(looked) {
        let there = there.ok().and_then(|there| there.mode).unwrap_or(0o777);
        // Another group's bit, which the directory above gives, stays.
        let wanted = mode(at) | (there & 0o2000);
        if there & 0o777 != mode(at) {
            let path = path.to_vec();
            changes.push(Change::SetAttributes { path, mode: Some(wanted), mtime: None });
        }
    }
    // On a server that refuses, they are as it makes them.
    remote.session.change_all(&changes).map_err(|error| remote.refused(&error)).map(drop)
}

/// A path and its parents.
struct Ancestors<'p> {
    /// Those that do not exist, innermost first.
    missing: Vec<&'p [u8]>,
    /// The innermost one that does.
    existing: Option<&'p [u8]>,
}

/// Finds which of a path and its parents exist; they must be directories.
fn ancestors<'p>(
    remote: &mut SftpHost<'_>,
    server_path: &'p [u8],
) -> Result<Ancestors<'p>, PushError> {
    let mut missing = Vec::new();
    let paths = names::upwards(server_path);
    let looked = remote.session.stat_all(&paths).map_err(|error| remote.refused(&error))?;
    for (path, existing) in paths.into_iter().zip(looked) {
        match optional(existing).map_err(|error| remote.refused(&error))? {
            Some(attributes) if attributes.is_dir() => {
                return Ok(Ancestors { missing, existing: Some(path) });
            }
            Some(_) => {
                return Err(remote.fail(FailureCode::NotADirectory, path, "not a directory"));
            }
            None => missing.push(path),
        }
    }
    Ok(Ancestors { missing, existing: None })
}

/// Refuses a directory in which nothing may be deleted; a session begins in the user's home
/// directory.
fn refuse_protected(remote: &mut SftpHost<'_>, path: &[u8]) -> Result<(), PushError> {
    let home = remote.session.realpath(b".").map_err(|error| remote.refused(&error))?;
    let home = place(&names::settled(&home, b""));
    let reason = protected(&place(path), &[home], |system| Some(system.as_bytes().to_vec()));
    reason.map_or(Ok(()), |reason| {
        let text = format!("refused, nothing may be deleted in it: {reason}; nothing was changed");
        Err(remote.fail(FailureCode::Protected, path, &text))
    })
}

/// A directory by its settled path.
fn place(path: &[u8]) -> Place<Vec<u8>> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let above = slashes.map(|(at, _)| path[..at.max(1)].to_vec());
    Place { itself: Some(path.to_vec()), above: above.filter(|above| above != path).collect() }
}
