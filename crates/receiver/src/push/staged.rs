//! A push whose files are staged and verified.

use assetsync_core::state::StateId;

use super::context::PushContext;
use super::live::Live;
use crate::error::AgentError;
use crate::publishing::exchange::ExchangePoint;
use crate::publishing::publisher::{PublishError, PublishFailure, Publisher};
use crate::publishing::whole_directory::{ChangedFiles, NewTree, TreeClone, is_needed};
use crate::retained::requests::RetentionRequests;
use crate::staging::plan_store::PlanStore;
use crate::survey::update_index::save_index;
use crate::survey::walk::file_system_now;

/// All files of a plan, staged and verified. The next step publishes them.
pub struct Staged<'p> {
    pub(super) context: PushContext<'p>,
    pub(super) plan: PlanStore,
    pub(super) retention: Option<RetentionRequests<'p>>,
    /// The clone of the destination, if it is published as a whole.
    pub(super) clone: Option<TreeClone>,
}

impl<'p> Staged<'p> {
    /// Retains contents, then publishes the plan, then saves the index.
    pub fn publish(mut self) -> Result<Live<'p>, AgentError> {
        self.context.conversation.begin_publishing();
        let has_requests = self.retention.as_ref().is_some_and(RetentionRequests::has_requests);
        if !self.plan.wire_actions.is_empty() || has_requests {
            let PushContext { stage, areas, tree, .. } = &mut self.context;
            let durable = stage.make_durable().and_then(|()| match stage.sync_each {
                true => Ok(()),
                false => areas.sync(tree),
            });
            durable.map_err(|source| AgentError::NotBegun(PublishError::whole(source)))?;
        }
        self.context.stage.give_names().map_err(AgentError::WorkFiles)?;
        let mut notices: Vec<_> = self.context.work.warning().map(Into::into).into_iter().collect();
        let changed = match self.context.exchange_point.take() {
            Some(point) if is_needed(&mut self.plan)? => Some(self.exchange(&point, &mut notices)?),
            _ => {
                self.publish_files(&mut notices)?;
                None
            }
        };
        if let Some(Err(error)) = self.retention.as_mut().map(RetentionRequests::confirm) {
            notices.push(format!("Can't remove the old history of deploys: {error}"));
        }
        self.context.tree.forget();
        let state = match self.context.names {
            Some(_) => {
                // The index notices what was pushed, as it does any other change.
                let stage = &self.context.stage;
                let keeps = self.context.keeps_staged();
                // What can't be removed now is removed by the next push.
                let _ = if keeps { stage.clear_own() } else { stage.clear() };
                None
            }
            None => self.save_index(changed.as_ref(), &mut notices),
        };
        self.context.send_notices(&notices)?;
        let Staged { context, plan, retention, .. } = self;
        Ok(Live { context, plan, retention, state })
    }

    /// Publishes the whole directory at once. Returns the files that changed since the survey.
    fn exchange(
        &mut self,
        point: &ExchangePoint,
        notices: &mut Vec<String>,
    ) -> Result<ChangedFiles, AgentError> {
        let PushContext { tree, stage, work, .. } = &self.context;
        let new = NewTree::build(self.clone.take(), &mut self.plan, tree, (stage, work))?;
        self.retain(notices)?;
        let PushContext { tree, work, .. } = &mut self.context;
        let live = new.exchange(tree, work, point);
        if live.is_err()
            && let Some(retention) = &mut self.retention
            && let Err(error) = retention.take_back()
        {
            notices.push(format!("Can't put the history of deploys back: {error}"));
        }
        let mut live = live?;
        notices.append(&mut live.notices);
        Ok(live.changed)
    }

    /// Publishes path by path.
    fn publish_files(&mut self, notices: &mut Vec<String>) -> Result<(), AgentError> {
        self.retain(notices)?;
        let PushContext { tree, stage, work, areas, .. } = &mut self.context;
        let mut publisher = Publisher::new(tree, stage, areas, work);
        let published = publisher.publish(&mut self.plan);
        notices.append(&mut publisher.notices);
        if let Err(error) = areas.remove(tree) {
            notices.push(format!("Can't remove temporary files, the next push will try: {error}"));
        }
        published.map_err(|failure| self.taken_back(failure))
    }

    /// The history of deploys goes back with the files.
    fn taken_back(&mut self, failure: PublishFailure) -> AgentError {
        let PublishFailure { error, mut not_put_back } = failure;
        let restored = self.retention.as_mut().map_or(Ok(()), RetentionRequests::take_back);
        if let Err(error) = restored {
            not_put_back.push(format!("the history of deploys ({error})"));
        }
        match not_put_back.is_empty() {
            true => AgentError::TakenBack(error),
            false => AgentError::Mixed { error, not_put_back },
        }
    }

    fn retain(&mut self, notices: &mut Vec<String>) -> Result<(), AgentError> {
        let Some(retention) = &mut self.retention else { return Ok(()) };
        notices.append(&mut retention.publish()?);
        Ok(())
    }

    /// The push is done even without an index; then the next one reads more files.
    fn save_index(
        &mut self,
        changed: Option<&ChangedFiles>,
        notices: &mut Vec<String>,
    ) -> Option<StateId> {
        let PushContext { tree, stage, work, .. } = &mut self.context;
        let saved = file_system_now(work).and_then(|done| {
            // Published paths settle meanwhile.
            stage.clear()?;
            save_index(&mut self.plan, tree, work, done, changed)
        });
        match saved.and_then(|saved| work.mark_pushed().map(|()| saved)) {
            Ok((state, notice)) => {
                notices.extend(notice);
                Some(state)
            }
            Err(error) => {
                notices.push(format!("Can't save the index: {error}"));
                None
            }
        }
    }
}
