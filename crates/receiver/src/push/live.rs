//! A push that is published.

use assetsync_core::protocol::{AgentStatistics, ToAgent, ToSender};
use assetsync_core::state::StateId;

use super::context::PushContext;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::publisher::Publisher;
use crate::retained::requests::RetentionRequests;
use crate::staging::plan_store::PlanStore;
use crate::survey::update_index::remove_pruned;

/// A published plan. The last step runs the deletes that were left for pruning.
pub struct Live<'p> {
    pub(super) context: PushContext<'p>,
    pub(super) plan: PlanStore,
    pub(super) retention: Option<RetentionRequests<'p>>,
    /// The id of the destination's state, if the index was saved.
    pub(super) state: Option<StateId>,
}

impl<'p> Live<'p> {
    /// In a deploy, prunes when the sender wants it. Returns the last statistics; `None` if the
    /// sender quits instead.
    pub fn prune(mut self) -> Result<Option<AgentStatistics>, AgentError> {
        if let Some(retention) = self.retention.take() {
            let statistics = self.context.statistics(self.state);
            send_published(self.context.conversation, statistics)?;
            let prunes = match self.context.conversation.message()? {
                ToAgent::Quit => false,
                ToAgent::Prune => true,
                other => return Err(AgentError::unexpected(&other, "after publishing")),
            };
            retention.finish();
            if !prunes {
                return Ok(None);
            }
            self.delete(retention)?;
        }
        Ok(Some(self.context.statistics(self.state)))
    }

    fn delete(&mut self, mut retention: RetentionRequests<'p>) -> Result<(), AgentError> {
        let PushContext { tree, stage, work, areas, .. } = &mut self.context;
        let mut publisher = Publisher::new(tree, stage, areas, work);
        publisher.prune(&mut self.plan).map_err(AgentError::Prune)?;
        let mut notices = publisher.notices;
        tree.forget();
        notices.append(&mut retention.prune());
        if self.state.is_some() {
            let saved = remove_pruned(&mut self.plan, tree, work);
            self.state = saved.unwrap_or_else(|error| {
                notices.push(format!("Can't save the index: {error}"));
                None
            });
        }
        self.context.send_notices(&notices)
    }
}

/// Reports that everything the sender wanted so far is done.
pub fn send_published(
    conversation: &mut Conversation,
    statistics: AgentStatistics,
) -> Result<(), AgentError> {
    conversation.send(&ToSender::Published(statistics))?;
    conversation.flush()
}
