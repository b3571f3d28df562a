//! Checks, before anything is staged, that a plan can be published: a push that must fail half way fails at
//! once instead, and names everything that is in its way.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;

use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_tree::OpenTree;
use rustix::fs::{Access, AtFlags, accessat, fstat, statat};
use rustix::process::{Uid, geteuid};

use crate::publishing::publisher::Actions;

/// Most paths that are named.
const NAMED: usize = 10;

/// Paths, relative to the destination, that this user may not change.
pub fn unwritable_paths(
    actions: &mut impl Actions,
    count: u32,
    tree: &mut OpenTree,
) -> io::Result<Vec<String>> {
    let (mut refused, mut last, me) = (Vec::new(), None, geteuid());
    for position in 0..count {
        let Some(action) = actions.action(position)? else { break };
        if is_touch(&action) {
            refused.extend((!can_touch(tree, &action.path, me)?).then(|| action.path.to_string()));
        } else if last != Some(action.path.parent()) {
            let parent = action.path.parent();
            refused.extend((!can_write_dir(tree, parent.as_ref())?).then(|| match &parent {
                Some(parent) => parent.to_string(),
                None => "the destination itself".into(),
            }));
            last = Some(parent);
        }
        if refused.len() >= NAMED {
            break;
        }
    }
    Ok(refused)
}

/// Paths, relative to the destination, that are new to the plan and stand there all the same, but for those that are
/// another spelling of what stands there and known to be.
pub fn not_new(
    actions: &mut impl Actions,
    count: u32,
    tree: &mut OpenTree,
) -> io::Result<Vec<String>> {
    let (mut respelled, mut taken) = (HashSet::new(), Vec::new());
    for position in 0..count {
        let Some(action) = actions.action(position)? else { break };
        if let ActionKind::Respell { to } = action.what {
            respelled.insert(to);
        }
    }
    for position in 0..count {
        let Some(Action { path, known: None, .. }) = actions.action(position)? else { continue };
        if taken.len() < NAMED && !respelled.contains(&path) && tree.file_metadata(&path)?.is_some()
        {
            taken.push(path.to_string());
        }
    }
    Ok(taken)
}

fn is_touch(action: &Action) -> bool {
    matches!(&action.what, ActionKind::File(file) if file.recipe == Recipe::Touch)
}

/// Whether names in a directory can be changed; one that is not there (yet) is the plan's own.
fn can_write_dir(tree: &mut OpenTree, dir: Option<&RelPath>) -> io::Result<bool> {
    let dir = match tree.dir(dir) {
        Ok(dir) => dir,
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(error),
    };
    match accessat(dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        // The owner can let himself in.
        Err(rustix::io::Errno::ACCESS) => Ok(is_writable_dir(dir)?),
        Err(error) => Err(error.into()),
    }
}

/// Only the owner of a file can set its mode and times.
fn can_touch(tree: &mut OpenTree, path: &RelPath, me: Uid) -> io::Result<bool> {
    if me.is_root() {
        return Ok(true);
    }
    let stat = match tree.parent(path) {
        Ok(parent) => statat(parent, path.file_name(), AtFlags::SYMLINK_NOFOLLOW)?,
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(stat.st_uid == me.as_raw())
}

fn is_writable_dir(dir: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(fstat(dir)?.st_uid == geteuid().as_raw())
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
