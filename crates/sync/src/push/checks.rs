//! Checks before anything changes at a destination.

use assetsync_core::plan::{Action, Plan};
use assetsync_core::state::State;

use crate::error::PushError;
use crate::options::Options;
use crate::plan::guards::{Contact, deletes};
use crate::scan::source::Source;

/// Refuses to empty a destination with an empty source, which a failed build may leave.
pub fn check_source(source: &Source, options: &Options) -> Result<(), PushError> {
    refuse_empty(source, options, options.policy.delete)
}

/// Checks that what a deploy deletes is not everything there is.
pub fn check_plan(plan: &Plan, source: &Source, options: &Options) -> Result<(), PushError> {
    refuse_empty(source, options, deletes(plan) > 0)
}

fn refuse_empty(source: &Source, options: &Options, deletes: bool) -> Result<(), PushError> {
    if deletes && !options.allow_empty && !source.has_files() {
        return Err(PushError::EmptySource(assetsync_core::text::path(&source.path)));
    }
    Ok(())
}

impl Options {
    /// Checks what a push deletes at a destination in this state: that the source is not empty, and
    /// that the deletes are meant. `pushed_before`: a push to the destination has completed.
    pub fn check(
        &self,
        plan: &Plan,
        source: &Source,
        state: &State,
        pushed_before: bool,
    ) -> Result<(), PushError> {
        check_source(source, self)?;
        let refusal = Contact { source, state, pushed_before }.refusal(plan, self);
        refusal.map_or(Ok(()), |refusal| Err(refusal.into()))
    }
}

/// Checks that the contents of a given source are on this machine, as far as they must be sent.
pub fn check_contents(plan: &Plan, source: &Source) -> Result<(), PushError> {
    if !source.has_contents_elsewhere() {
        return Ok(());
    }
    let mut tree = source.tree().map_err(PushError::Io)?;
    let is_sent = |action: &&Action| action.file().is_some_and(|file| file.recipe.has_content());
    for action in plan.actions.iter().filter(is_sent) {
        tree.open_file(&action.path)
            .map_err(|_| PushError::Missing { path: action.path.to_string() })?;
    }
    Ok(())
}
