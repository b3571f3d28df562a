//! A push whose plan is received.

use super::context::PushContext;
use super::staged::Staged;
use crate::error::AgentError;
use crate::publishing::exchange;
use crate::publishing::whole_directory::TreeClone;
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
    /// The clone of the destination, once it is made.
    pub(super) clone: Option<TreeClone>,
}

impl<'p> Planned<'p> {
    /// Stages all files; `None` if the sender then does not want them published.
    pub fn stage(mut self) -> Result<Option<Staged<'p>>, AgentError> {
        let is_wanted = self.check().and_then(|()| self.stage_files());
        if !matches!(is_wanted, Ok(true)) {
            // If this fails, the next push tries again.
            let PushContext { areas, tree, .. } = &mut self.context;
            let _ = areas.remove(tree);
        }
        if is_wanted.as_ref().is_err_and(AgentError::is_no_space) {
            // Staged files would keep the disk full for everything else on the server.
            self.context.stage.clear().map_err(AgentError::WorkFiles)?;
        }
        let Planned { context, plan, retention, clone, .. } = self;
        if clone.is_some() && !matches!(is_wanted, Ok(true)) {
            // If this fails, the next push removes it.
            let _ = exchange::remove(context.work);
        }
        Ok(is_wanted?.then_some(Staged { context, plan, retention, clone }))
    }

    /// Checks, before anything is staged, that the plan can be published.
    fn check(&mut self) -> Result<(), AgentError> {
        let Planned { context, plan, partials, .. } = self;
        let is_whole = context.exchange_point.is_some();
        context.stage.sync_each = plan.wire_actions.len() <= FEW_FILES && !is_whole;
        if !context.keeps_staged() {
            let used = plan.used_partials()?;
            context.stage.remove_unused(partials, &used).map_err(AgentError::WorkFiles)?;
        }
        copy_foreign_files(plan, &mut context.tree)?;
        check_plan(plan, &mut context.tree, &mut context.areas, is_whole)?;
        match &context.exchange_point {
            Some(point) if context.areas.count() > 0 => {
                Err(exchange::out_of_reach(&point.path).into())
            }
            _ => Ok(()),
        }
    }

    fn stage_files(&mut self) -> Result<bool, AgentError> {
        let Planned { context, plan, partials, retention, clone } = self;
        let mut stager = Stager {
            plan,
            stage: &mut context.stage,
            tree: &mut context.tree,
            areas: &mut context.areas,
            partials,
            spool_dir: context.work.path(),
            prefix: Prefix::default(),
            work: context.work,
            clone: context.exchange_point.is_some().then_some(clone),
            retention: retention.as_mut(),
        };
        stager.run(context.conversation)
    }
}
