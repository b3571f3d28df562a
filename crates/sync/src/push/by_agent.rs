//! A push by an agent in steps.

use super::report::Report;
use crate::compare::content_match::SourceEntry;
use crate::converse::session::Session;
use crate::converse::survey::Survey;
use crate::error::PushError;
use crate::event::Event;
use crate::plan::state_after::state_after;
use crate::store::destination_cache::DestinationCache;
use crate::store::last_push::LastPush;

/// A destination where everything is staged. It is published next.
pub struct StagedByAgent<'a> {
    pub(super) agent: Agent<'a>,
    pub(super) record: PushRecord<'a>,
}

/// The agent after staging.
pub(super) enum Agent<'a> {
    /// It waits for a command.
    Waiting(Box<Session<'a>>),
    /// There was nothing to do; it has ended.
    UpToDate,
    /// The push was a dry run; it has ended.
    DryRun,
}

/// The report of a push, and the values that are cached after it.
pub(super) struct PushRecord<'a> {
    pub(super) cache: DestinationCache<'a>,
    /// The destination before the push.
    pub(super) survey: Survey,
    /// The source.
    pub(super) entries: &'a [SourceEntry],
    pub(super) report: Report,
    /// What was done with each file, if anything was sent.
    pub(super) last_push: Option<LastPush>,
    /// The history after the push, if it changes.
    pub(super) history: Option<Vec<u8>>,
    /// Whether something is left for pruning.
    pub(super) prunes: bool,
}

impl PushRecord<'_> {
    /// Waits until everything is published, and caches the result.
    fn wait_published(&mut self, session: &mut Session<'_>) -> Result<(), PushError> {
        session.published()?;
        session.monitor().event(Event::Published);
        self.remember(session, false);
        if let Some(push) = self.last_push.take() {
            self.cache.keep_last_push(LastPush { sent: self.report.bytes_sent, ..push });
        }
        if let Some(history) = &self.history {
            self.cache.keep_history(&self.survey.history, history);
        }
        Ok(())
    }

    /// Caches the state that the destination has now.
    pub(super) fn remember(&mut self, session: &Session<'_>, is_pruned: bool) {
        let state = state_after(&self.survey.state, &self.report.plan, self.entries, is_pruned);
        self.cache.keep_state(session.state(), session.past_line(), state);
        session.measure(&mut self.report);
    }
}

impl<'a> StagedByAgent<'a> {
    /// The report so far: the plan, and the costs of staging.
    pub fn report(&self) -> &Report {
        &self.record.report
    }

    /// Keeps the agent waiting, and notices one that has ended. To be called several times within
    /// the connection's timeout.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        match &mut self.agent {
            Agent::Waiting(session) => session.keep_alive(),
            Agent::UpToDate | Agent::DryRun => Ok(()),
        }
    }

    /// Publishes what is staged. If that fails, every path of the destination is whole, old or new;
    /// pushing again completes it.
    pub fn publish(self) -> Result<LiveByAgent<'a>, PushError> {
        let StagedByAgent { agent, mut record } = self;
        let session = match agent {
            Agent::DryRun => return Err(PushError::DryRun),
            Agent::UpToDate => None,
            Agent::Waiting(mut session) => {
                session.publish()?;
                record.wait_published(&mut session)?;
                Some(session)
            }
        };
        Ok(LiveByAgent { session, record })
    }

    /// Gives up: nothing is published. What is staged remains for another try, as after an
    /// interruption.
    pub fn abandon(self) {
        if let Agent::Waiting(mut session) = self.agent {
            // If the agent has ended, it has given up already.
            let _ = session.end();
        }
    }

    /// Ends a plain push: its agent publishes without a further command.
    pub(super) fn into_report(self) -> Result<Report, PushError> {
        let StagedByAgent { agent, mut record } = self;
        if let Agent::Waiting(mut session) = agent {
            record.wait_published(&mut session)?;
        }
        Ok(record.report)
    }
}

/// A destination where everything is published. It is pruned next.
pub struct LiveByAgent<'a> {
    /// `None` if there was nothing to do.
    session: Option<Box<Session<'a>>>,
    record: PushRecord<'a>,
}

impl LiveByAgent<'_> {
    /// Keeps the agent waiting, as [`StagedByAgent::keep_alive`] does.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        self.session.as_mut().map_or(Ok(()), |session| session.keep_alive())
    }

    /// Deletes what was left for pruning.
    pub fn prune(mut self) -> Result<Report, PushError> {
        let Some(mut session) = self.session.take_if(|_| self.record.prunes) else {
            return self.finish();
        };
        session.prune()?;
        session.published()?;
        session.monitor().event(Event::Pruned);
        self.record.remember(&session, true);
        Ok(self.record.report)
    }

    /// Ends without pruning: what was left for it stays where it is.
    pub fn finish(mut self) -> Result<Report, PushError> {
        if let Some(session) = &mut self.session {
            session.end()?;
            session.measure(&mut self.record.report);
        }
        Ok(self.record.report)
    }
}
