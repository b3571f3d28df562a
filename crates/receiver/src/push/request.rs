//! Requests: queries, a plan, or to quit.

use assetsync_core::plan::WireAction;
use assetsync_core::protocol::ToAgent;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::staging::rename_table::RenameTable;
use crate::survey::answer_queries::{QueryFiles, Question, answer_all};
use crate::survey::walk::Survey;

/// The next request of the sender.
pub enum Request {
    /// To answer this question and those after it.
    Query(Question),
    /// To push a plan that begins with this action.
    Plan(Option<WireAction>),
    /// To end.
    Quit,
}

/// Receives renames, answers queries, if there are any, and returns the request that follows.
pub fn next_request(
    survey: &mut Survey,
    renames: &mut RenameTable,
    files: QueryFiles<'_>,
    conversation: &mut Conversation,
) -> Result<Request, AgentError> {
    let request = read_request(renames, conversation)?;
    let Request::Query(first) = request else { return Ok(request) };
    let index_entries = &mut survey.index_entries;
    survey.learned = answer_all(first, index_entries, renames, files, conversation)?;
    read_request(&mut RenameTable::default(), conversation)
}

fn read_request(
    renames: &mut RenameTable,
    conversation: &mut Conversation,
) -> Result<Request, AgentError> {
    loop {
        match conversation.message()? {
            ToAgent::Rename(rename) => renames.rename(rename)?,
            ToAgent::Substitute { old, new } => renames.substitute(old, new)?,
            ToAgent::Query(query) => return Ok(Request::Query(Question::Query(query))),
            ToAgent::Alias { path, other } => {
                return Ok(Request::Query(Question::Alias(path, other)));
            }
            ToAgent::Action(action) => return Ok(Request::Plan(Some(action))),
            ToAgent::PlanEnd => return Ok(Request::Plan(None)),
            ToAgent::Quit => return Ok(Request::Quit),
            other => return Err(AgentError::unexpected(&other, "instead of a plan")),
        }
    }
}
