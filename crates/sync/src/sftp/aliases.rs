//! Names that are one name to the server's file system, which may ignore case or how Unicode is
//! composed.

use std::collections::{BTreeMap, HashSet};

use assetsync_core::path::RelPath;
use assetsync_core::plan::Plan;
use assetsync_core::protocol::FailureCode;

use super::host::{SftpHost, optional};
use super::names;
use super::publish_order::PublishOrder;
use super::staging_dir::StagingDir;
use crate::compare::aliases::{OneName, Pair};
use crate::compare::comparison::Comparison;
use crate::error::PushError;

/// Which pairs are the same name at the destination: a name that is not listed, but can be looked
/// up, is another spelling of a listed one. If neither is listed, the pair is left to be tried.
pub fn look(
    remote: &mut SftpHost<'_>,
    root: Option<&[u8]>,
    comparison: &Comparison<'_>,
) -> Result<(Vec<Pair>, Vec<OneName>), PushError> {
    let (mut one, mut untried) = (Vec::new(), Vec::new());
    for pair in comparison.suspects() {
        let (path, other) = comparison.spellings(pair);
        if !comparison.is_listed(pair.other) {
            untried.push(OneName { path: path.clone(), other: other.clone() });
        } else if let Some(root) = root {
            let existing = optional(remote.session.lstat(&names::below(root, path)));
            let existing = existing.map_err(|error| remote.refused(&error))?;
            one.extend(existing.map(|_| pair));
        }
    }
    Ok((one, untried))
}

/// Fails if any of these pairs is the same name in the file system of the staging directory.
pub fn in_stage(
    remote: &mut SftpHost<'_>,
    stage: &StagingDir,
    untried: &[OneName],
) -> Result<(), PushError> {
    let mut one = Vec::new();
    for pair in untried {
        if stage.are_one(remote, &pair.path, &pair.other)? {
            one.push(pair.clone());
        }
    }
    if one.is_empty() { Ok(()) } else { Err(PushError::OneName(one)) }
}

/// Fails if a new name is not listed after it was published: it then exists under another name,
/// which may be about to be deleted. Only directories in which something is deleted are listed.
pub fn check_listed(
    remote: &mut SftpHost<'_>,
    root: &[u8],
    plan: &Plan,
    steps: &PublishOrder,
) -> Result<(), PushError> {
    let deleted = steps.deletes.iter().flatten();
    let deleted = deleted.filter_map(|delete| delete.at.of(&plan.actions));
    let parents: HashSet<Option<RelPath>> = deleted.map(|action| action.path.parent()).collect();
    let mut new: BTreeMap<Option<RelPath>, Vec<&RelPath>> = BTreeMap::new();
    let respelled = plan.respelled();
    for action in plan.actions.iter().filter(|action| action.known.is_none()) {
        let parent = action.path.parent();
        if parents.contains(&parent) && !respelled.contains(&action.path) {
            new.entry(parent).or_default().push(&action.path);
        }
    }
    for (dir, paths) in new {
        let dir = dir.map_or_else(|| root.to_vec(), |dir| names::below(root, &dir));
        let listed = remote.session.read_dir(&dir).map_err(|error| remote.refused(&error))?;
        let listed: HashSet<&[u8]> = listed.iter().map(|entry| &entry.name[..]).collect();
        if let Some(path) = paths.into_iter().find(|path| !listed.contains(path.file_name())) {
            let text = "it is published, but not listed under this name: another name there is the same to the \
                        server's file system; nothing was deleted";
            return Err(remote.fail(FailureCode::Obstruction, path.as_bytes(), text));
        }
    }
    Ok(())
}
