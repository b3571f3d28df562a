//! A push whose plan is received.

use super::context::PushContext;
use super::staged::Staged;
use crate::error::AgentError;
use crate::retained::requests::RetentionRequests;
use crate::staging::check_plan::check_plan;
use crate::staging::foreign_files::copy_foreign_files;
use crate::staging::plan_store::PlanStore;
use crate::staging::prefix::Prefix;
use crate::staging::stage_files::Stager;
use crate::staging::staging_area::PartialFile;

/// Up to this many files are synced one by one; above it, syncing the whole file system is cheaper.
const FEW_FILES: u32 = 16;

/// A plan that is consistent in itself. The next step stages its files.
pub struct Planned<'p> {
    pub(super) context: PushContext<'p>,
    pub(super) plan: PlanStore,
    pub(super) partials: Vec<PartialFile>,
    /// Set if the push is part of a deploy.
    pub(super) retention: Option<RetentionRequests<'p>>,
}

impl<'p> Planned<'p> {
    /// Stages all files; `None` if the sender then does not want them published.
    pub fn stage(self) -> Result<Option<Staged<'p>>, AgentError> {
        let Planned { mut context, mut plan, partials, mut retention } = self;
        let stage = &mut context.stage;
        stage.sync_each = plan.wire_actions.len() <= FEW_FILES && context.exchange_path.is_none();
        let used = plan.used_partials()?;
        stage.remove_unused(&partials, &used).map_err(AgentError::WorkFiles)?;
        copy_foreign_files(&mut plan, &mut context.tree)?;
        check_plan(&mut plan, &mut context.tree)?;
        let mut stager = Stager {
            plan: &mut plan,
            stage,
            tree: &mut context.tree,
            partials: &partials,
            spool_dir: context.work.path(),
            prefix: Prefix::default(),
            retention: retention.as_mut(),
        };
        let is_wanted = stager.run(context.conversation);
        if is_wanted.as_ref().is_err_and(AgentError::is_no_space) {
            // Staged files would keep the disk full for everything else on the server.
            context.stage.clear().map_err(AgentError::WorkFiles)?;
        }
        Ok(is_wanted?.then_some(Staged { context, plan, retention }))
    }
}
