//! Checks, before anything is staged, that a plan can be published: a push that would fail half way
//! fails at once instead, and names the paths that it can't change.

use std::collections::HashSet;
use std::io;

use assetsync_core::plan::{Action, ActionKind};
use assetsync_tree::OpenTree;

use super::plan_store::PlanStore;
use crate::error::AgentError;
use crate::publishing::actions::Actions;
use crate::publishing::areas::Areas;
use crate::publishing::proof::refusals;
use crate::survey::agent_statistics::free_bytes;

/// Most paths that an error names.
const NAMED: usize = 10;

/// Refuses a plan that does not fit on the disk, replaces what the survey lists under another name,
/// or that can't be published; makes the staging areas that it needs. No such area can be made
/// where the destination is published as a whole (`is_whole`).
pub fn check_plan(
    plan: &mut PlanStore,
    tree: &mut OpenTree,
    areas: &mut Areas<'_>,
    is_whole: bool,
) -> Result<(), AgentError> {
    check_free_space(plan, tree)?;
    let unreadable = |source| AgentError::Destination { path: "the destination".into(), source };
    let not_new = not_new(plan, tree).map_err(unreadable)?;
    if !not_new.is_empty() {
        return Err(AgentError::NotNew(not_new));
    }
    let refused = refusals(plan, tree, areas, is_whole).map_err(unreadable)?;
    if refused.is_empty() { Ok(()) } else { Err(AgentError::Refused(refused)) }
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

/// New paths of the plan, relative to the destination, that exist all the same, except respelled
/// ones.
fn not_new(plan: &mut PlanStore, tree: &mut OpenTree) -> io::Result<Vec<String>> {
    let (mut respelled, mut taken) = (HashSet::new(), Vec::new());
    for position in plan.indices() {
        let Some(action) = plan.action(position)? else { break };
        if let ActionKind::Respell { to } = action.what {
            respelled.insert(to);
        }
    }
    for position in plan.indices() {
        let Some(Action { path, known: None, .. }) = plan.action(position)? else { continue };
        if taken.len() < NAMED && !respelled.contains(&path) && tree.file_metadata(&path)?.is_some()
        {
            taken.push(path.to_string());
        }
    }
    Ok(taken)
}
