//! Proves, before anything is uploaded, that names can be changed in every directory in which the
//! plan changes some: otherwise a push would fail after a part of it is published.

use std::collections::BTreeSet;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::FailureCode;
use assetsync_core::state::State;
use assetsync_ssh::sftp::{Attributes, Change};

use super::host::SftpHost;
use super::names::{self, is_open};
use super::staging_dir::StagingDir;
use crate::error::PushError;

/// A directory that is made and removed again. It has the name of a work directory, so it is never
/// listed if it stays; the next push removes it.
const PROBE: &[u8] = b".assetsync-probe";

const STICKY: u32 = 0o1000;

/// Refuses a plan that changes names in a directory where this user can't.
pub fn prove(
    remote: &mut SftpHost<'_>,
    stage: &StagingDir,
    root: &[u8],
    plan: &Plan,
    state: &State,
) -> Result<(), PushError> {
    let changes: Vec<&Action> =
        plan.actions.iter().filter(|action| changes_name(action, state)).collect();
    let dirs: BTreeSet<RelPath> =
        changes.iter().filter_map(|action| action.path.parent()).collect();
    // Directories without write permission are opened first; their owner can do that.
    let is_open_dir = |dir: &&RelPath| {
        entry(state, dir).is_some_and(|entry| entry.kind == Kind::Dir && is_open(entry.mode))
    };
    let dirs: Vec<Vec<u8>> =
        dirs.iter().filter(is_open_dir).map(|dir| names::below(root, dir)).collect();
    try_all(remote, &dirs)?;
    check_sticky(remote, stage, root, &changes, state)
}

/// Whether an action makes, replaces or removes a name.
fn changes_name(action: &Action, state: &State) -> bool {
    let existing = action.known.and_then(|known| known.of(&state.entries));
    match &action.what {
        ActionKind::File(file) => file.recipe.has_content(),
        ActionKind::Dir { .. } => existing.is_none_or(|remote| remote.entry.kind != Kind::Dir),
        ActionKind::Prune => false,
        _ => true,
    }
}

fn entry<'s>(state: &'s State, path: &RelPath) -> Option<&'s Entry> {
    let at = state.entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok()?;
    Some(&state.entries[at].entry)
}

/// Makes and removes a directory in each of these.
fn try_all(remote: &mut SftpHost<'_>, dirs: &[Vec<u8>]) -> Result<(), PushError> {
    let probe = |dir: &Vec<u8>| names::join(dir, PROBE);
    let makes: Vec<_> =
        dirs.iter().map(|dir| Change::Mkdir { path: probe(dir), mode: 0o700 }).collect();
    let removes: Vec<_> = dirs.iter().map(|dir| Change::Rmdir { path: probe(dir) }).collect();
    let made = remote.session.change_all(&makes).map_err(|error| remote.refused(&error))?;
    let removed = remote.session.change_all(&removes).map_err(|error| remote.refused(&error))?;
    // One that a killed push left can't be made, but removed.
    let mut refused =
        dirs.iter().zip(made.into_iter().zip(removed)).filter_map(|(dir, done)| match done {
            (Err(error), Err(_)) => Some((dir, error)),
            _ => None,
        });
    let Some((dir, error)) = refused.next() else { return Ok(()) };
    let more = refused.count();
    let more = if more == 0 { String::new() } else { format!(" (and {more} other directories)") };
    let owner = remote.session.lstat(dir).ok().and_then(|found| found.owner);
    let whose =
        owner.map_or_else(String::new, |(user, _)| format!("it belongs to user {user}, and "));
    let text = format!(
        "{whose}nothing can be made in it: {}{more}; make the user that logs in the owner, or let \
         their group write; nothing was changed",
        error.detail
    );
    Err(remote.fail(FailureCode::Permission, dir, &text))
}

/// Refuses to replace or remove what belongs to others where only the owner can.
fn check_sticky(
    remote: &mut SftpHost<'_>,
    stage: &StagingDir,
    root: &[u8],
    changes: &[&Action],
    state: &State,
) -> Result<(), PushError> {
    let is_sticky = |dir: Option<RelPath>| match dir {
        Some(dir) => entry(state, &dir).is_some_and(|entry| entry.mode & STICKY != 0),
        None => stage.root_mode & STICKY != 0,
    };
    let replaced = changes.iter().filter(|action| action.known.is_some());
    let replaced: Vec<&RelPath> =
        replaced.map(|action| &action.path).filter(|path| is_sticky(path.parent())).collect();
    if replaced.is_empty() {
        return Ok(());
    }
    let dir_of = |path: &RelPath| match path.parent() {
        Some(dir) => names::below(root, &dir),
        None => root.to_vec(),
    };
    let dirs = replaced.iter().map(|path| dir_of(path));
    let paths = replaced.iter().map(|path| names::below(root, path));
    let asked: Vec<Vec<u8>> = [stage.dir().to_vec()].into_iter().chain(dirs).chain(paths).collect();
    let looked = remote.session.lstat_all(&asked).map_err(|error| remote.refused(&error))?;
    let mut users = looked.iter().map(|found| user(found.as_ref().ok()?));
    let Some(me) = users.next().flatten().filter(|me| *me != 0) else { return Ok(()) };
    let users: Vec<Option<u32>> = users.collect();
    let (of_dirs, of_paths) = users.split_at(replaced.len());
    for (path, owners) in replaced.iter().zip(of_dirs.iter().zip(of_paths)) {
        if let (Some(of_dir), Some(owner)) = owners
            && ![*of_dir, *owner].contains(&me)
        {
            let text = format!(
                "it belongs to user {owner}, and its directory has the sticky bit, so only they can \
                 replace or delete it; push as user {owner}, or chmod -t the directory; nothing was \
                 changed"
            );
            return Err(remote.fail(FailureCode::Permission, &names::below(root, path), &text));
        }
    }
    Ok(())
}

fn user(attributes: &Attributes) -> Option<u32> {
    attributes.owner.map(|(user, _)| user)
}
