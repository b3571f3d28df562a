//! Files of other users whose content is right: only their owner can set their mode and times, so
//! they are copied and renamed, like changed ones.

use std::io;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::plan::ActionKind;
use assetsync_core::recipe::Recipe;
use assetsync_tree::OpenTree;
use rustix::fs::{AtFlags, statat};
use rustix::process::{Uid, geteuid};

use super::plan_store::PlanStore;
use crate::error::AgentError;
use crate::publishing::actions::Actions;

/// Makes copies of the plan's touches of files that belong to others.
pub fn copy_foreign_files(plan: &mut PlanStore, tree: &mut OpenTree) -> Result<(), AgentError> {
    let me = geteuid();
    if me.is_root() {
        return Ok(());
    }
    for position in plan.indices() {
        let action = plan.action(position).map_err(AgentError::WorkFiles)?;
        let Some(action) = action else { break };
        let is_touch =
            matches!(&action.what, ActionKind::File(file) if file.recipe == Recipe::Touch);
        let Some(known) = action.known.filter(|_| is_touch) else { continue };
        if is_foreign(tree, &action.path, me) {
            let has_digest = plan.index_entry(known).map_err(AgentError::WorkFiles)?;
            if has_digest.is_none_or(|index_entry| index_entry.digest.is_none()) {
                let Ok(digest) = digest(tree, &action.path) else { continue };
                plan.learned.insert(known, digest);
            }
            plan.copy_instead(position);
        }
    }
    Ok(())
}

fn is_foreign(tree: &mut OpenTree, path: &RelPath, me: Uid) -> bool {
    let parent = tree.parent(path);
    let stat =
        parent.and_then(|parent| Ok(statat(parent, path.file_name(), AtFlags::SYMLINK_NOFOLLOW)?));
    stat.is_ok_and(|stat| stat.st_uid != me.as_raw())
}

fn digest(tree: &mut OpenTree, path: &RelPath) -> io::Result<Digest> {
    let mut buffer = vec![0; 64 * 1024];
    Ok(Digest::of_reader(tree.open_file(path)?, &mut buffer)?.0)
}
