//! The state of the destination after a plan is carried out, as far as the sender can tell.

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::state::{RemoteEntry, State};

use crate::compare::content_match::SourceEntry;

/// The entries of `state` after `plan`, which was made from `source`. What is left for pruning is
/// deleted only if `is_pruned`. The result is cached only if its id equals the agent's.
pub fn state_after(
    state: &State,
    plan: &Plan,
    source: &[SourceEntry],
    is_pruned: bool,
) -> Vec<RemoteEntry> {
    let mut actions = plan.actions.iter().peekable();
    let mut existing = state.entries.iter().peekable();
    let mut source = source.iter().peekable();
    let mut entries = Vec::with_capacity(state.entries.len() + plan.actions.len());
    loop {
        let action = match (existing.peek(), actions.peek()) {
            (None, None) => return entries,
            (Some(remote), Some(action)) if remote.entry.path == action.path => {
                (actions.next(), existing.next())
            }
            (Some(remote), Some(action)) if remote.entry.path > action.path => {
                (actions.next(), None)
            }
            (None, Some(_)) => (actions.next(), None),
            (Some(_), _) => (None, existing.next()),
        };
        let path =
            action.0.map(|action| &action.path).or(action.1.map(|remote| &remote.entry.path));
        let Some(path) = path else { return entries };
        while source.next_if(|local| local.entry.path < *path).is_some() {}
        let local = source.peek().filter(|local| local.entry.path == *path).copied();
        entries.extend(match action {
            (Some(Action { what: ActionKind::Prune, .. }), _) if is_pruned => None,
            (None | Some(Action { what: ActionKind::Prune, .. }), Some(remote)) => {
                Some(kept(remote, local))
            }
            (action, remote) => action.and_then(|action| made(action, remote, local)),
        });
    }
}

/// An entry that the push does not change. The agent has learned its digest.
fn kept(remote: &RemoteEntry, local: Option<&SourceEntry>) -> RemoteEntry {
    let learned = local.and_then(|local| local.digest).map(|digest| digest.short());
    RemoteEntry { entry: remote.entry.clone(), digest: remote.digest.or(learned) }
}

fn made(
    action: &Action,
    before: Option<&RemoteEntry>,
    local: Option<&SourceEntry>,
) -> Option<RemoteEntry> {
    let path = action.path.clone();
    match &action.what {
        ActionKind::Delete | ActionKind::Prune | ActionKind::Respell { .. } => None,
        ActionKind::Dir { mode } => {
            let entry = Entry { path, kind: Kind::Dir, mode: *mode, mtime: Default::default() };
            Some(RemoteEntry { entry, digest: None })
        }
        ActionKind::Symlink { target, mtime } => {
            // A link's own permission bits mean nothing; Linux shows them all.
            let kind = Kind::Symlink { target: target.clone() };
            let entry = Entry { path, kind, mode: 0o777, mtime: *mtime };
            Some(RemoteEntry { entry, digest: None })
        }
        ActionKind::File(file) => {
            let known = before.and_then(|before| before.digest);
            let local = local.and_then(|local| local.digest).map(|digest| digest.short());
            let digest = file.digest.map(|digest| digest.short()).or(known).or(local);
            let size = match file.digest {
                Some(_) => file.size,
                None => before.and_then(|before| before.entry.file_size()).unwrap_or(file.size),
            };
            let kind = Kind::File { size };
            let entry = Entry { path, kind, mode: file.mode, mtime: file.mtime };
            Some(RemoteEntry { entry, digest })
        }
    }
}
