//! Checks, before anything is staged, that a plan can be published: a push that would fail half way
//! fails at once instead, and names the paths that it can't change.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;

use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_tree::OpenTree;
use rustix::fs::{Access, AtFlags, accessat, fstat, statat};
use rustix::process::{Uid, geteuid};

use super::plan_store::PlanStore;
use crate::error::AgentError;
use crate::publishing::publisher::Actions;
use crate::survey::agent_statistics::free_bytes;

/// Most paths that an error names.
const NAMED: usize = 10;

/// Refuses a plan that does not fit on the disk, replaces what the survey lists under another name,
/// or that this user can't publish.
pub fn check_plan(plan: &mut PlanStore, tree: &mut OpenTree) -> Result<(), AgentError> {
    check_free_space(plan, tree)?;
    let unreadable = |source| AgentError::Destination { path: "the destination".into(), source };
    let not_new = not_new(plan, tree).map_err(unreadable)?;
    if !not_new.is_empty() {
        return Err(AgentError::NotNew(not_new));
    }
    let refused = unwritable_paths(plan, tree).map_err(unreadable)?;
    if refused.is_empty() { Ok(()) } else { Err(AgentError::NotWritable(refused)) }
}

fn check_free_space(plan: &mut PlanStore, tree: &OpenTree) -> Result<(), AgentError> {
    let needed = plan.staged_bytes()?;
    let Some(free) = free_bytes(tree.root()).filter(|free| needed > *free) else {
        return Ok(());
    };
    let text = format!("Disk full: the push needs {needed} bytes, {free} are free");
    let source = io::Error::new(io::ErrorKind::StorageFull, text);
    Err(AgentError::Destination { path: ".".into(), source })
}

/// Paths, relative to the destination, that this user may not change.
fn unwritable_paths(plan: &mut PlanStore, tree: &mut OpenTree) -> io::Result<Vec<String>> {
    let (mut refused, mut last, me) = (Vec::new(), None, geteuid());
    for position in 0..plan.count() {
        let Some(action) = plan.action(position)? else { break };
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

/// New paths of the plan, relative to the destination, that exist all the same, except respelled
/// ones.
fn not_new(plan: &mut PlanStore, tree: &mut OpenTree) -> io::Result<Vec<String>> {
    let (mut respelled, mut taken) = (HashSet::new(), Vec::new());
    for position in 0..plan.count() {
        let Some(action) = plan.action(position)? else { break };
        if let ActionKind::Respell { to } = action.what {
            respelled.insert(to);
        }
    }
    for position in 0..plan.count() {
        let Some(Action { path, known: None, .. }) = plan.action(position)? else { continue };
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

/// Whether names in a directory can be changed; one that does not exist yet is created by the plan.
fn can_write_dir(tree: &mut OpenTree, dir: Option<&RelPath>) -> io::Result<bool> {
    let dir = match tree.dir(dir) {
        Ok(dir) => dir,
        Err(error) if is_gone(&error) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(error),
    };
    match accessat(dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        Ok(()) => Ok(true),
        // The owner can change the permission bits.
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
