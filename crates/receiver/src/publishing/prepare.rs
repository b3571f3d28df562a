//! Prepares staged files for publishing, so that only renames are left to do: makes symlinks, and
//! copies to other staging areas what a rename from the work directory does not reach.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use assetsync_core::entry::Mtime;
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction};
use assetsync_tree::{OpenTree, set_mode, set_mtime, set_mtime_at};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chownat, fstat, openat, symlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::actions::Actions;
use super::areas::Areas;
use super::publisher::{PublishError, link_name};
use crate::staging::staging_area::StagingArea;
use crate::work::sharing::give;

/// Prepares all actions, whose files are staged.
pub fn prepare(
    actions: &mut dyn Actions,
    tree: &mut OpenTree,
    stage: &StagingArea<'_>,
    areas: &mut Areas<'_>,
) -> Result<(), PublishError> {
    for position in actions.indices() {
        let action = actions.action(position).map_err(PublishError::whole)?;
        let Some(action) = action else { break };
        let prepared = prepare_one(&action, position, tree, stage, areas);
        let failed = |source| PublishError { path: action.path.to_string(), source };
        prepared.map_err(failed)?;
    }
    Ok(())
}

fn prepare_one(
    action: &Action,
    position: ActionIndex,
    tree: &mut OpenTree,
    stage: &StagingArea<'_>,
    areas: &mut Areas<'_>,
) -> io::Result<()> {
    match &action.what {
        ActionKind::Symlink { target, mtime } => {
            let (area, name) = (areas.of(tree, &action.path)?, link_name(stage, position));
            match symlinkat(target.as_slice(), area, &name) {
                // Prepared before, for the old tree of a directory that is published as a whole.
                Err(Errno::EXIST) => return Ok(()),
                made => made?,
            }
            give_link(area, &name)?;
            set_link_mtime(area, &name, *mtime)
        }
        ActionKind::File(file)
            if areas.root_of(action.path.parent().as_ref()).is_some() && file.digest.is_some() =>
        {
            copy(file, (position, &action.path), tree, stage, areas)
        }
        _ => Ok(()),
    }
}

/// Sets the time of a file or of a link, of which it is no content.
pub(super) fn set_link_mtime(dir: BorrowedFd<'_>, name: &str, mtime: Mtime) -> io::Result<()> {
    match set_mtime_at(dir, name.as_bytes(), mtime) {
        // sshfs sets that of what it leads to.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Gives a link that root made to the owner of the area.
fn give_link(area: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let like = fstat(area)?;
    if !geteuid().is_root() || like.st_uid == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(like.st_uid), Gid::from_raw(like.st_gid));
    Ok(chownat(area, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn copy(
    file: &FileAction,
    (position, path): (ActionIndex, &RelPath),
    tree: &mut OpenTree,
    stage: &StagingArea<'_>,
    areas: &mut Areas<'_>,
) -> io::Result<()> {
    let digest = file.digest.ok_or_else(|| io::Error::other("file without a digest"))?;
    let mut staged = stage.open_staged(&digest, position)?;
    let area = areas.of(tree, path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let mut copy = File::from(openat(area, stage.name(&digest, position), flags, mode)?);
    let like = fstat(area)?;
    if geteuid().is_root() && like.st_uid != 0 {
        give(copy.as_fd(), &like)?;
    }
    io::copy(&mut staged, &mut copy)?;
    set_mode(&copy, file.mode)?;
    set_mtime(&copy, file.mtime)?;
    if stage.sync_each { assetsync_tree::sync(&copy) } else { Ok(()) }
}
