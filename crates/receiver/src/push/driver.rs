//! Runs a push from the lock to the last message.

use std::path::Path;

use assetsync_core::protocol::{AgentStatistics, Hello};

use super::live::send_published;
use super::locked::Locked;
use super::run_member::open_work;
use crate::confinement;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::staging::staging_area::StagingArea;
use crate::work::destination;

/// Serves a push that is no dry run.
pub fn serve(
    conversation: &mut Conversation,
    hello: &Hello,
    within: Option<&Path>,
) -> Result<(), AgentError> {
    let destination = destination::open_destination(hello, within)?;
    let Some(destination) = destination else { return Err(AgentError::SenderGone) };
    let work = open_work(conversation, hello, &destination.found)?;
    conversation.begin_work(&confinement::of_push(hello, &destination.found, &work));
    let locked = Locked::new(conversation, hello, destination, &work);
    let done = locked.and_then(|locked| run(locked));
    if done.as_ref().is_err_and(AgentError::spoils_stage) {
        // If this fails too, the next push still writes anew what it uses of it.
        let _ = StagingArea::new(&work, 0).clear();
    }
    // The sender may push again as soon as it has the last message.
    match hello.files.is_empty() {
        true => drop(work),
        false => work.remove_if_unused(),
    }
    match done? {
        Some(statistics) => send_published(conversation, statistics),
        None => Ok(()),
    }
}

/// Runs all steps; `None` if the sender quits before the last one.
fn run(locked: Locked<'_>) -> Result<Option<AgentStatistics>, AgentError> {
    let Some(planned) = locked.survey()?.receive_plan()? else { return Ok(None) };
    let Some(staged) = planned.stage()? else { return Ok(None) };
    staged.publish()?.prune()
}
