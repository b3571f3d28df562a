//! A push whose plan is made and allowed.

use std::sync::Arc;
use std::thread;

use assetsync_core::plan::{ActionKind, Plan};
use assetsync_core::recipe::Recipes;

use super::by_agent::{Agent, PushRecord, StagedByAgent};
use super::checks::check_contents;
use super::open_push::OpenPush;
use super::record_files::FileRecords;
use super::report::{Count, Report};
use crate::compare::answers::Answers;
use crate::compare::content_match::SourceEntry;
use crate::converse::deploy_requests::DeployRequests;
use crate::converse::session::Session;
use crate::converse::survey::Survey;
use crate::cost::line::Line;
use crate::draft::drafts::Drafts;
use crate::encode::inputs::{DeltaBytes, EncodeInputs};
use crate::error::PushError;
use crate::plan::guards::Refusal;
use crate::plan::planner::Offers;
use crate::store::last_push::LastPush;

/// Of what an update brings over a quick line, the store keeps about this much content, in bytes:
/// packing more takes longer than the agent needs to verify and publish, and what a push finds out
/// from old contents saves little there.
const KEPT_OF_QUICK_UPDATE: u64 = 24 << 20;

/// A push whose plan is made and allowed. It is staged next.
pub struct Planned<'c, 'a> {
    pub(super) open: OpenPush<'c, 'a>,
    pub(super) survey: Survey,
    /// The source.
    pub(super) entries: &'a [SourceEntry],
    pub(super) plan: Plan,
    /// What was possible for each file, and what was to be used on the line.
    pub(super) choice: (Offers, Recipes),
    /// The destination's answers about its files.
    pub(super) answers: Answers,
    pub(super) drafts: Arc<Drafts>,
    pub(super) requests: DeployRequests,
    /// Why the plan would be refused, if this were not a dry run.
    pub(super) refused: Option<Refusal>,
}

impl<'a> Planned<'_, 'a> {
    /// Sends the plan and its content, and waits until everything is staged and verified. A dry
    /// run, and a push without changes, only ends the conversation.
    pub fn stage(mut self) -> Result<StagedByAgent<'a>, PushError> {
        let OpenPush { context, session, .. } = &mut self.open;
        let dry_run = context.connection.dry_run;
        if dry_run || !session.has_work(&self.plan, &self.requests) {
            match context.source.is_files() && !dry_run {
                // Wait until the agent has removed its work directory.
                true => session.end()?,
                false => session.quit()?,
            }
            return Ok(self.ended(dry_run));
        }
        check_contents(&self.plan, context.source)?;
        let (retried, last_push) = self.send()?;
        let (session, record) = self.record(retried);
        let record = PushRecord { last_push: Some(last_push), ..record };
        Ok(StagedByAgent { agent: Agent::Waiting(Box::new(session)), record })
    }

    /// Sends everything, while the store keeps the source's contents. Returns how many files were
    /// sent again, and what was done with each.
    fn send(&mut self) -> Result<(u64, LastPush), PushError> {
        let OpenPush { context, session, cache } = &mut self.open;
        let (source, entries, publish) = (context.source, self.entries, !context.is_deploy());
        let (drafts, answers) = (&*self.drafts, &self.answers);
        let (state, old) = (&self.survey.state, cache.contents());
        let deltas = &DeltaBytes::default();
        let inputs = EncodeInputs { source, entries, state, drafts, answers, old, deltas };
        session.send(&self.plan, &inputs, &self.requests, publish)?;
        let line = session.current_line();
        let most = kept_bytes(line, state.entries.is_empty());
        let retried = thread::scope(|scope| {
            scope.spawn(|| beside_agent(line, || cache.keep_contents(source, entries, most)));
            session.wait_staged(&self.plan, source, publish)
        })?;
        let (offers, recipes) = (&self.choice.0, self.choice.1);
        Ok((retried, FileRecords { inputs, offers, recipes }.of(&self.plan)))
    }

    /// A push after which the agent has nothing to do.
    fn ended(self, dry_run: bool) -> StagedByAgent<'a> {
        let (session, mut record) = self.record(0);
        if dry_run {
            return StagedByAgent { agent: Agent::DryRun, record };
        }
        record.remember(&session, true);
        StagedByAgent { agent: Agent::UpToDate, record }
    }

    fn record(self, retried: u64) -> (Session<'a>, PushRecord<'a>) {
        let Planned { open, survey, entries, plan, requests, refused, .. } = self;
        let OpenPush { session, cache, .. } = open;
        let prunes = plan.actions.iter().any(|action| action.what == ActionKind::Prune)
            || !requests.retained_to_drop.is_empty();
        let history = requests.history.and_then(|edit| edit.apply(&survey.history));
        let removed = Count::of_removed(&plan, &survey.state);
        let mut report = Report { retried, removed, refused, ..Report::of(plan, entries) };
        session.measure(&mut report);
        let last_push = None;
        (session, PushRecord { cache, survey, entries, report, last_push, history, prunes })
    }
}

/// About how many bytes of new contents the store keeps of a push over this line. Of a first push
/// it keeps all: most of that is there for long.
fn kept_bytes(line: Line, is_first: bool) -> u64 {
    if line.is_quick() && !is_first { KEPT_OF_QUICK_UPDATE } else { u64::MAX }
}

/// Packs contents while the agent works. If the line is quick one core does that: the agent, which
/// may be on the same machine, has the others.
fn beside_agent(line: Line, pack: impl FnOnce() + Send) {
    let one = line.is_quick().then(|| rayon::ThreadPoolBuilder::new().num_threads(1).build());
    match one {
        Some(Ok(one)) => one.install(pack),
        _ => pack(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_an_update_over_a_quick_line_some_contents_are_not_kept() {
        let (quick, slow) = (Line::LOCAL, Line::UNKNOWN);
        let kept = |line, is_first| kept_bytes(line, is_first);
        assert_eq!([kept(slow, true), kept(slow, false), kept(quick, true)], [u64::MAX; 3]);
        assert_eq!(kept(quick, false), KEPT_OF_QUICK_UPDATE);
        assert_eq!(kept(quick.metered(None), false), u64::MAX);
    }
}
