//! A push whose plan is made and allowed.

use std::sync::Arc;
use std::thread;

use assetsync_core::plan::{ActionKind, Plan};

use super::checks::check_contents;
use super::open_push::OpenPush;
use super::report::{Count, Report};
use super::staged::{Agent, PushRecord, Staged};
use crate::compare::answers::Answers;
use crate::compare::content_match::SourceEntry;
use crate::converse::deploy_requests::DeployRequests;
use crate::converse::session::Session;
use crate::converse::survey::Survey;
use crate::draft::drafts::Drafts;
use crate::encode::inputs::EncodeInputs;
use crate::error::PushError;
use crate::plan::guards::Refusal;

/// A push whose plan is made and allowed. It is staged next.
pub struct Planned<'c, 'a> {
    pub(super) open: OpenPush<'c, 'a>,
    pub(super) survey: Survey,
    /// The source.
    pub(super) entries: &'a [SourceEntry],
    pub(super) plan: Plan,
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
    pub fn stage(mut self) -> Result<Staged<'a>, PushError> {
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
        let retried = self.send()?;
        let (session, record) = self.record(retried);
        Ok(Staged { agent: Agent::Waiting(Box::new(session)), record })
    }

    /// Sends everything, while the store keeps the source's contents. Returns how many files were
    /// sent again.
    fn send(&mut self) -> Result<u64, PushError> {
        let OpenPush { context, session, cache } = &mut self.open;
        let (source, entries, publish) = (context.source, self.entries, !context.is_deploy());
        let (drafts, answers) = (&*self.drafts, &self.answers);
        let (state, old) = (&self.survey.state, cache.contents());
        let inputs = EncodeInputs { source, entries, state, drafts, answers, old };
        session.send(&self.plan, &inputs, &self.requests, publish)?;
        thread::scope(|scope| {
            scope.spawn(|| cache.keep_contents(source, entries));
            session.wait_staged(&self.plan, source, publish)
        })
    }

    /// A push after which the agent has nothing to do.
    fn ended(self, dry_run: bool) -> Staged<'a> {
        let (session, mut record) = self.record(0);
        if dry_run {
            return Staged { agent: Agent::DryRun, record };
        }
        record.remember(&session, true);
        Staged { agent: Agent::UpToDate, record }
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
        (session, PushRecord { cache, survey, entries, report, history, prunes })
    }
}
