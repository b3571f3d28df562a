//! A destination whose state is known.

use std::sync::Arc;

use assetsync_core::plan::Plan;

use super::checks::check_plan;
use super::context::PushContext;
use super::open_push::OpenPush;
use super::planned::Planned;
use super::prefetch::Drafting;
use crate::compare::comparison::Comparison;
use crate::compare::content_match::SourceEntry;
use crate::converse::deploy_requests::DeployRequests;
use crate::converse::survey::Survey;
use crate::error::PushError;
use crate::event::Event;
use crate::plan::decision::{Decision, Deletes};
use crate::plan::guards::{Contact, Refusal};
use crate::plan::source_maps::NewSourceMaps;

/// A destination whose state is known. The push is planned next.
pub struct Surveyed<'c, 'a> {
    pub(super) open: OpenPush<'c, 'a>,
    pub(super) survey: Survey,
}

impl<'c, 'a> Surveyed<'c, 'a> {
    /// Plans the push: asks the destination what the comparison leaves open, and checks that the
    /// plan is allowed.
    pub fn plan(mut self, drafting: Drafting<'_>) -> Result<Planned<'c, 'a>, PushError> {
        let OpenPush { context, session, .. } = &mut self.open;
        let PushContext { source, options, .. } = *context;
        if !source.is_hashed() {
            session.while_working(&|| source.hashing_progress(), || drop(source.hashed()))?;
        }
        let entries = source.hashed()?;
        let decision = decide(context, &self.survey, entries)?;
        let requests = DeployRequests::of(&decision, &self.survey)?;
        let recipes = session.line().recipes(options.recipes);
        let comparison = Comparison::new(entries, &self.survey.state, &options.policy, recipes)
            .deploying(&decision.deletes, &self.survey.retained_contents)
            .given(source.has_contents_elsewhere());
        let drafts = drafting.drafts(&comparison, &self.survey);
        let comparison = comparison.with(Arc::clone(&drafts));
        let (answers, one_name) = session.ask(&comparison)?;
        let comparison = comparison.aliased(&one_name).map_err(PushError::OneName)?;
        let planned = comparison.plan_with_offers(&answers);
        let (plan, offers) = planned.map_err(PushError::Obstruction)?;
        check_plan(&plan, source, options)?;
        if let Some(maps) = NewSourceMaps::of(&plan, &self.survey.state) {
            session.monitor().event(Event::Notice(&maps.to_string()));
        }
        let refused = self.refusal(&plan)?;
        let Surveyed { open, survey } = self;
        let choice = (offers, recipes);
        Ok(Planned { open, survey, entries, plan, choice, answers, drafts, requests, refused })
    }

    /// Why the plan may not be carried out, if so: an error, except that a dry run of a plain push
    /// reports it.
    fn refusal(&mut self, plan: &Plan) -> Result<Option<Refusal>, PushError> {
        let OpenPush { context, session, .. } = &mut self.open;
        let PushContext { source, options, connection, .. } = *context;
        // A destination with a history has had a deploy, which was checked then.
        let pushed_before = self.survey.statistics.pushed_before || !self.survey.history.is_empty();
        let contact = Contact { source, state: &self.survey.state, pushed_before };
        let Some(refusal) = contact.refusal(plan, options) else { return Ok(None) };
        if connection.dry_run && !context.is_deploy() {
            return Ok(Some(refusal));
        }
        // Wait until the agent has ended: the next push finds the destination unlocked.
        let _ = session.end();
        Err(refusal.into())
    }
}

/// The decision of a deploy, or the one that the options of a plain push imply.
fn decide(
    context: &PushContext<'_, '_>,
    survey: &Survey,
    wanted: &[SourceEntry],
) -> Result<Decision, PushError> {
    let Some(decide) = context.decide else {
        let delete = context.options.policy.delete;
        let deletes = if delete { Deletes::Extraneous } else { Deletes::None };
        return Ok(Decision { deletes, ..Decision::default() });
    };
    let mut decision = decide(survey, wanted).map_err(PushError::Decision)?;
    decision.deletes.sort();
    Ok(decision)
}
