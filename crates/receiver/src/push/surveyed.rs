//! A destination whose state the sender knows.

use super::context::PushContext;
use super::planned::Planned;
use super::request::{Request, next_request};
use crate::error::AgentError;
use crate::retained::requests::RetentionRequests;
use crate::staging::plan_store::{BasisCounts, PlanStore};
use crate::staging::rename_table::RenameTable;
use crate::survey::answer_queries::QueryFiles;
use crate::survey::walk::Survey;

/// A destination whose state was reported. The next step answers queries and receives a plan.
pub struct Surveyed<'p> {
    pub(super) context: PushContext<'p>,
    pub(super) survey: Survey,
    pub(super) is_deploy: bool,
}

impl<'p> Surveyed<'p> {
    /// Answers queries and receives the plan; `None` if the sender quits instead.
    pub fn receive_plan(self) -> Result<Option<Planned<'p>>, AgentError> {
        let Surveyed { mut context, mut survey, is_deploy } = self;
        let work = context.work;
        let mut renames = RenameTable::default();
        let files = QueryFiles {
            tree: &mut context.tree,
            stage: Some(work.stage()),
            spool_dir: work.path(),
        };
        let request = next_request(&mut survey, &mut renames, files, context.conversation)?;
        let first = match request {
            Request::Quit => return Ok(None),
            Request::Query(_) => return Err(AgentError::protocol("queries after queries")),
            Request::Plan(first) => first,
        };
        let Survey { index_entries, partials, learned, retained_contents, .. } = survey;
        let bases = BasisCounts {
            partials: partials.len() as u32,
            retained_contents: if is_deploy { retained_contents.len() as u32 } else { 0 },
        };
        let retention = is_deploy.then(|| RetentionRequests::new(work, retained_contents));
        let plan = PlanStore::new(work.path(), index_entries, renames, learned);
        let plan = plan.named(context.names.clone());
        let plan = plan.receive(first, bases, context.conversation)?;
        Ok(Some(Planned { context, plan, partials, retention, clone: None }))
    }
}
