//! The staging directory of a run.

use assetsync_core::path::RelPath;
use assetsync_core::protocol::FailureCode;
use assetsync_core::work_names::{COMPLETED, PUSHED};
use assetsync_ssh::sftp::{Attributes, Change, DirectoryEntry, SftpErrorKind};

use super::host::{SftpHost, ignore_missing, is_refusal, optional};
use super::names;
use crate::error::PushError;
use crate::share::run_members::{Membership, Role, RunMembers};

/// The staging directory of this run: its own, so that no other run's files are in it.
#[derive(Debug)]
pub struct StagingDir {
    work: Vec<u8>,
    dir: Vec<u8>,
    /// The permission bits of the destination, if the server tells.
    pub root_mode: u32,
    /// The mode of the destination, which is writable only as long as the staging directory is
    /// there.
    closed_root: Option<Change>,
}

/// What is in a destination, unless only its work directories matter; and those, and what is in
/// them.
pub fn look(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    work_only: bool,
) -> Result<(Vec<DirectoryEntry>, Vec<ContentIndex>), PushError> {
    let mut looked = Vec::new();
    let mut dirs: Vec<_> = names::beside(root).into_iter().chain([names::inside(root)]).collect();
    if !work_only {
        dirs.insert(0, root.to_vec());
    }
    let listed = remote.session.read_dirs(&dirs).map_err(|error| remote.refused(&error))?;
    let mut listed = dirs.into_iter().zip(listed);
    let in_root = listed.by_ref().take(usize::from(!work_only)).next();
    let entries = in_root.map_or_else(|| Ok(Vec::new()), |(_, entries)| entries);
    let entries = entries.map_err(|error| remote.refused(&error))?;
    for (dir, listed) in listed {
        let listed = optional(listed).map_err(|error| remote.refused(&error))?;
        looked.extend(listed.map(|entries| (dir, entries)));
    }
    Ok((entries, looked))
}

/// A work directory, and its attributes if it exists.
type WorkDir = (Vec<u8>, Option<Attributes>);

/// A work directory and what is in it.
pub type ContentIndex = (Vec<u8>, Vec<DirectoryEntry>);

/// Whether a push has completed, over SFTP or by an agent.
pub fn was_pushed(looked: &[ContentIndex]) -> bool {
    let mut entries = looked.iter().flat_map(|(_, entries)| entries);
    entries.any(|entry| COMPLETED.iter().any(|name| entry.name == name.as_bytes()))
}

/// Removes what interrupted runs left in the work directories of the destination. A run that is
/// still alive loses its staging directory in one step, and so can't publish.
/// Those of other pushes of this run stay.
pub fn remove_stale(
    remote: &mut SftpHost<'_>,
    looked: &[ContentIndex],
    run: Option<&RunMembers>,
) -> Result<(), PushError> {
    let is_stale = |name: &[u8]| {
        names::is_push_dir_name(name) && !run.is_some_and(|run| run.has_staging(name))
    };
    for (work, entries) in looked {
        for entry in entries.iter().filter(|entry| is_stale(&entry.name)) {
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

/// Removes directories in `root`, which has these `entries`, by which killed pushes tried a rename.
pub fn remove_tried(remote: &mut SftpHost<'_>, root: &[u8], entries: &[DirectoryEntry]) {
    let tried = entries.iter().filter(|entry| names::is_tried_name(&entry.name));
    for entry in tried {
        // One that stays is not listed, and does no harm.
        drop(remote.session.rmdir(&names::join(root, &entry.name)));
    }
}

/// A name for the staging directory of a run.
fn new_run() -> Result<Vec<u8>, PushError> {
    Ok(names::push_dir_name(&crate::connect::nonce::nonce()?))
}

impl StagingDir {
    /// Creates the staging directory, unless another push of the run has one for the same
    /// destination: then that does the work.
    pub fn open(
        remote: &mut SftpHost<'_>,
        root: &[u8],
        membership: Option<&Membership<'_>>,
    ) -> Result<StagingDir, PushError> {
        let run = new_run()?;
        let Some(membership) = membership else { return StagingDir::create(remote, root, &run) };
        membership.stages(&run);
        let stage = StagingDir::create(remote, root, &run)?;
        match stage.role(remote, membership) {
            Ok(Role::Works(_)) => Ok(stage),
            Ok(Role::Follows(other)) => {
                stage.close(remote, true);
                Err(PushError::SameDirectory(other))
            }
            Err(error) => Err(error),
        }
    }

    fn role(
        &self,
        remote: &mut SftpHost<'_>,
        membership: &Membership<'_>,
    ) -> Result<Role, PushError> {
        let mut listed = remote.session.read_dirs(std::slice::from_ref(&self.work));
        let listed = listed.as_mut().map(Vec::pop).map_err(|error| remote.refused(error))?;
        let names = listed.and_then(Result::ok).unwrap_or_default();
        let names: Vec<_> = names.into_iter().map(|entry| entry.name).collect();
        Ok(membership.settle_staging(&names))
    }

    /// Creates the run's staging directory: beside the destination if it can be created there and
    /// renaming from there into the destination works, else inside.
    fn create(remote: &mut SftpHost<'_>, root: &[u8], run: &[u8]) -> Result<StagingDir, PushError> {
        let (inside, beside) = (names::inside(root), names::beside(root));
        let paths = [root, &inside, beside.as_deref().unwrap_or(&inside)];
        let looked = remote.session.lstat_all(&paths).map_err(|error| remote.refused(&error))?;
        let looked: Result<Vec<_>, _> = looked.into_iter().map(optional).collect();
        let looked = looked.map_err(|error| remote.refused(&error))?;
        let [of_root, in_root, in_parent] = looked[..] else {
            return Err(remote.fail(FailureCode::Protocol, root, "the server left out a reply"));
        };
        let root_mode = of_root.and_then(|there| there.mode);
        let closed_root = remote.open_root(root, root_mode)?;
        let beside = beside.filter(|_| in_root.is_none()).map(|work| (work, in_parent));
        match StagingDir::open_in(remote, root, run, (beside, (inside, in_root))) {
            Ok(stage) => {
                Ok(StagingDir { closed_root, root_mode: root_mode.unwrap_or_default(), ..stage })
            }
            Err(error) => {
                // Nothing else was changed, and the first error is the one to report.
                drop(closed_root.map(|change| remote.session.change(change)));
                Err(error)
            }
        }
    }

    fn open_in(
        remote: &mut SftpHost<'_>,
        root: &[u8],
        run: &[u8],
        (beside, inside): (Option<WorkDir>, WorkDir),
    ) -> Result<StagingDir, PushError> {
        let stage = |work: Vec<u8>| {
            let dir = names::join(&work, run);
            StagingDir { dir, work, root_mode: 0, closed_root: None }
        };
        if let Some((work, existing)) = beside {
            let stage = stage(work);
            // Of this run alone: another push to this destination may try the same at this moment.
            let target = names::join(root, &names::tried_name(run));
            match stage.make(remote, root, existing) {
                Ok(()) if stage.probe(remote, &target).is_ok() => return Ok(stage),
                Ok(()) => stage.close(remote, false),
                // It can't be created, or is another user's. If the connection is lost, the next
                // request fails.
                Err(_) => {}
            }
        }
        let (work, existing) = inside;
        let stage = stage(work);
        stage.make(remote, root, existing)?;
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
        let marked = remote.session.create(&path, 0o600, false);
        if let Err(error) = marked {
            remote.notice(&format!("Can't note that the push has completed: {error}"));
        }
    }

    /// Removes the staging directory, and the work directory if nothing else is in it; there is if
    /// the push was marked.
    pub fn close(&self, remote: &mut SftpHost<'_>, is_marked: bool) {
        let removed = match remote.session.rmdir(&self.dir) {
            Err(error) if is_refusal(&error) => remote.remove_tree(&self.dir),
            removed => ignore_missing(removed),
        };
        match removed {
            Ok(()) if is_marked => {}
            Ok(()) => drop(remote.session.rmdir(&self.work)),
            Err(error) if error.kind == SftpErrorKind::Lost => return,
            Err(error) => remote.notice(&format!("Can't clean up: {error}")),
        }
        if let Some(change) = self.closed_root.clone()
            && let Err(error) = remote.session.change(change)
        {
            remote.notice(&format!("Can't make the destination read-only again: {error}"));
        }
    }

    fn make(
        &self,
        remote: &mut SftpHost<'_>,
        root: &[u8],
        existing: Option<Attributes>,
    ) -> Result<(), PushError> {
        let existing = match existing {
            None => self.make_work_dir(remote)?,
            existing => existing,
        };
        remote.session.mkdir(&self.dir, 0o700).map_err(|error| remote.refused(&error))?;
        let Some(work) = existing else { return Ok(()) };
        let looked = remote.session.lstat_all(&[&self.dir[..], root]);
        let looked: Result<Vec<_>, _> = looked.and_then(|looked| looked.into_iter().collect());
        let looked = looked.map_err(|error| remote.refused(&error))?;
        match matches!(&looked[..], [mine, of_root] if is_ours(&work, mine, of_root)) {
            true => Ok(()),
            false => {
                let _ = remote.session.rmdir(&self.dir);
                let text = "this belongs to somebody else; push as that user, or remove it";
                Err(remote.fail(FailureCode::Permission, &self.work, text))
            }
        }
    }

    /// Makes the work directory. Returns its attributes if another push has made it meanwhile.
    fn make_work_dir(&self, remote: &mut SftpHost<'_>) -> Result<Option<Attributes>, PushError> {
        let Err(error) = remote.session.mkdir(&self.work, 0o700) else { return Ok(None) };
        match remote.session.lstat(&self.work) {
            Ok(there) if there.is_dir() => Ok(Some(there)),
            _ => Err(remote.refused(&error)),
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
            session.create(&a, 0o600, true)?;
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
            .and_then(|()| match session.rmdir(target) {
                // A server that removes nothing; it is left with the rest of the staging area.
                Err(error) if is_refusal(&error) => session.rename(target, &probe),
                removed => ignore_missing(removed),
            });
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
