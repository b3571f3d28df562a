//! The destination's root and the staging directory of a run.

use assetsync_core::path::RelPath;
use assetsync_core::protected::{Place, protected};
use assetsync_core::protocol::FailureCode;
use assetsync_core::work_names::{COMPLETED, PUSHED};
use assetsync_ssh::sftp::{Attributes, DirectoryEntry, SftpErrorKind, SftpFile};

use super::host::{SftpHost, ignore_missing, optional};
use super::names;
use crate::error::PushError;

/// The staging directory of this run: its own, so that no other run's files are in it.
#[derive(Debug)]
pub struct StagingDir {
    work: Vec<u8>,
    dir: Vec<u8>,
}

/// The path of the destination without links, or `None` if it does not exist. With `create` it and
/// its parents are created. If anything may be deleted, a [protected] directory is refused before
/// anything is created.
pub fn locate(
    remote: &mut SftpHost<'_>,
    server_path: &[u8],
    create: bool,
    deletes: bool,
) -> Result<Option<Vec<u8>>, PushError> {
    let server_path = names::server_path(server_path);
    let Ancestors { missing, existing } = ancestors(remote, &server_path)?;
    if deletes && !missing.is_empty() {
        let root: &[u8] = if server_path.starts_with(b"/") { b"/" } else { b"." };
        let base = remote.session.realpath(existing.unwrap_or(root));
        let base = base.map_err(|error| remote.refused(&error))?;
        let rest = &server_path[existing.map_or(0, <[u8]>::len)..];
        refuse_protected(remote, &names::settled(&base, rest))?;
    }
    if !missing.is_empty() && !create {
        return Ok(None);
    }
    for path in missing.into_iter().rev() {
        remote.session.mkdir(path, 0o755).map_err(|error| remote.refused(&error))?;
    }
    let root = remote.session.realpath(&server_path).map_err(|error| remote.refused(&error))?;
    if !root.starts_with(b"/") || root.contains(&0) {
        return Err(remote.fail(FailureCode::Protocol, &root, "the server says this is absolute"));
    }
    if deletes {
        refuse_protected(remote, &names::settled(&root, b""))?;
    }
    Ok(Some(root))
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
    for path in names::upwards(server_path) {
        let existing =
            optional(remote.session.stat(path)).map_err(|error| remote.refused(&error))?;
        match existing {
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

/// The work directories of a destination, and what is in them.
pub fn look(remote: &mut SftpHost<'_>, root: &[u8]) -> Result<Vec<ContentIndex>, PushError> {
    let mut looked = Vec::new();
    for dir in names::beside(root).into_iter().chain([names::inside(root)]) {
        let listed =
            optional(remote.session.read_dir(&dir)).map_err(|error| remote.refused(&error))?;
        looked.extend(listed.map(|entries| (dir, entries)));
    }
    Ok(looked)
}

/// A work directory and what is in it.
pub type ContentIndex = (Vec<u8>, Vec<DirectoryEntry>);

/// Whether a push has completed, over SFTP or by an agent.
pub fn was_pushed(looked: &[ContentIndex]) -> bool {
    let mut entries = looked.iter().flat_map(|(_, entries)| entries);
    entries.any(|entry| COMPLETED.iter().any(|name| entry.name == name.as_bytes()))
}

/// Removes what interrupted runs left in the work directories of the destination. A run that is
/// still alive loses its staging directory in one step, and so can't publish.
pub fn remove_stale(remote: &mut SftpHost<'_>, looked: &[ContentIndex]) -> Result<(), PushError> {
    for (work, entries) in looked {
        for entry in entries.iter().filter(|entry| names::is_push_dir_name(&entry.name)) {
            let taken = names::join(work, &new_run()?);
            let left = names::join(work, &entry.name);
            let removed =
                remote.session.rename(&left, &taken).and_then(|()| remote.remove_tree(&taken));
            match removed {
                Ok(()) => remote.notice(
                    "Removed what another push had staged over SFTP; if it was still running, it fails now",
                ),
                Err(error) => remote.notice(&format!("Can't clean up: {error}")),
            }
        }
    }
    Ok(())
}

fn new_run() -> Result<Vec<u8>, PushError> {
    Ok(names::push_dir_name(&crate::connect::start_agent::nonce()?))
}

impl StagingDir {
    /// Creates the run's staging directory: beside the destination if it can be created there and
    /// renaming from there into the destination works, else inside.
    pub fn open(remote: &mut SftpHost<'_>, root: &[u8]) -> Result<StagingDir, PushError> {
        let run = new_run()?;
        let inside = names::inside(root);
        let has_inside =
            optional(remote.session.lstat(&inside)).map_err(|error| remote.refused(&error))?;
        if has_inside.is_none()
            && let Some(work) = names::beside(root)
        {
            let stage = StagingDir { dir: names::join(&work, &run), work };
            match stage.make(remote, root) {
                Ok(()) if stage.probe(remote, &inside).is_ok() => return Ok(stage),
                Ok(()) => stage.close(remote),
                // It can't be created, or is another user's. If the connection is lost, the next
                // request fails.
                Err(_) => {}
            }
        }
        let stage = StagingDir { dir: names::join(&inside, &run), work: inside };
        stage.make(remote, root)?;
        Ok(stage)
    }

    /// A path in the staging directory.
    pub fn path(&self, name: &[u8]) -> Vec<u8> {
        names::join(&self.dir, name)
    }

    /// The staging directory.
    pub fn dir(&self) -> &[u8] {
        &self.dir
    }

    /// Fails if another run has taken over.
    pub fn check_held(&self, remote: &mut SftpHost<'_>) -> Result<(), PushError> {
        match remote.session.lstat(&self.dir) {
            Ok(_) => Ok(()),
            Err(error) if error.kind == SftpErrorKind::NotFound => {
                let text = "another push to this destination took over";
                Err(remote.fail(FailureCode::Locked, &self.dir, text))
            }
            Err(error) => Err(remote.refused(&error)),
        }
    }

    /// Records that a push has completed. Without the record, the next one checks what it deletes.
    pub fn mark(&self, remote: &mut SftpHost<'_>) {
        let path = names::join(&self.work, PUSHED.as_bytes());
        let marked = remote.session.create(&path, 0o600, false).and_then(SftpFile::close);
        if let Err(error) = marked {
            remote.notice(&format!("Can't note that the push has completed: {error}"));
        }
    }

    /// Removes the staging directory, and the work directory if nothing else is in it.
    pub fn close(&self, remote: &mut SftpHost<'_>) {
        match ignore_missing(remote.remove_tree(&self.dir)) {
            Ok(()) => drop(remote.session.rmdir(&self.work)),
            Err(error) if error.kind == SftpErrorKind::Lost => {}
            Err(error) => remote.notice(&format!("Can't clean up: {error}")),
        }
    }

    fn make(&self, remote: &mut SftpHost<'_>, root: &[u8]) -> Result<(), PushError> {
        let existing =
            optional(remote.session.lstat(&self.work)).map_err(|error| remote.refused(&error))?;
        if existing.is_none() {
            remote.session.mkdir(&self.work, 0o700).map_err(|error| remote.refused(&error))?;
        }
        remote.session.mkdir(&self.dir, 0o700).map_err(|error| remote.refused(&error))?;
        let Some(work) = existing else { return Ok(()) };
        let mine = remote.session.lstat(&self.dir).map_err(|error| remote.refused(&error))?;
        let of_root = remote.session.lstat(root).map_err(|error| remote.refused(&error))?;
        match is_ours(&work, &mine, &of_root) {
            true => Ok(()),
            false => {
                let _ = remote.session.rmdir(&self.dir);
                let text = "this belongs to somebody else; push as that user, or remove it";
                Err(remote.fail(FailureCode::Permission, &self.work, text))
            }
        }
    }

    /// Whether two paths are the same to the server's file system, tried on files in the staging
    /// directory.
    pub fn are_one(
        &self,
        remote: &mut SftpHost<'_>,
        path: &RelPath,
        other: &RelPath,
    ) -> Result<bool, PushError> {
        let mut are_one = path.names().count() == other.names().count();
        for (a, b) in path.names().zip(other.names()).filter(|(a, b)| a != b) {
            are_one = are_one && self.leads_to(remote, a, b)?;
        }
        Ok(are_one)
    }

    /// Whether a file created as `a` is found as `b`.
    fn leads_to(&self, remote: &mut SftpHost<'_>, a: &[u8], b: &[u8]) -> Result<bool, PushError> {
        let tries = self.path(b"names");
        let (a, b) = (names::join(&tries, a), names::join(&tries, b));
        let session = &mut remote.session;
        let mut tried = || {
            session.mkdir(&tries, 0o700)?;
            session.create(&a, 0o600, true)?.close()?;
            let there = optional(session.lstat(&b))?.is_some();
            session.remove(&a)?;
            session.rmdir(&tries).map(|()| there)
        };
        tried().map_err(|error| remote.refused(&error))
    }

    /// Whether renaming from here into the destination works, tried with an empty directory:
    /// another file system, or a destination that can't be written, is noticed before anything is
    /// uploaded.
    fn probe(&self, remote: &mut SftpHost<'_>, target: &[u8]) -> Result<(), PushError> {
        let probe = self.path(b"probe");
        let session = &mut remote.session;
        let moved = session
            .mkdir(&probe, 0o700)
            .and_then(|()| session.rename(&probe, target))
            .and_then(|()| session.rmdir(target));
        moved.map_err(|error| remote.refused(&error))
    }
}

/// Whether an existing work directory can be trusted: it belongs to the same user, or root works in
/// that of the destination's owner. Any other owner could replace staged files.
fn is_ours(work: &Attributes, mine: &Attributes, of_root: &Attributes) -> bool {
    let user = |attributes: &Attributes| attributes.owner.map(|(user, _)| user);
    let by_root = user(mine) == Some(0) && user(work) == user(of_root);
    work.is_dir() && (user(work) == user(mine) || by_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_directories_of_others_are_not_used() {
        let dir = |user| Attributes {
            mode: Some(0o040700),
            owner: Some((user, 7)),
            ..Attributes::default()
        };
        let link = Attributes { mode: Some(0o120777), ..dir(5) };
        let rows = [
            (dir(5), dir(5), dir(5), true),
            (dir(6), dir(5), dir(5), false),
            (dir(6), dir(5), dir(6), false),
            (dir(6), dir(0), dir(6), true),
            (dir(6), dir(0), dir(0), false),
            (link, dir(5), dir(5), false),
        ];
        for (work, mine, of_root, expected) in rows {
            assert_eq!(is_ours(&work, &mine, &of_root), expected, "{work:?} {mine:?} {of_root:?}");
        }
    }
}
