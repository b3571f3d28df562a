//! A push in steps: everything is staged first, on all hosts of a deploy, published later, pruned last.

use assetsync_ssh::Target;

use super::attempt::{Options, stage_with_retry};
use super::report::Report;
use crate::compare::content_match::SourceEntry;
use crate::connect::start_agent::ConnectOptions;
use crate::converse::receive_survey::Survey;
use crate::converse::session::Session;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::plan::decision::Decide;
use crate::plan::state_after::state_after;
use crate::scan::source::Source;
use crate::store::destination_cache::DestinationCache;

/// Stages `source` at `target`: all of it is there and verified, nothing of it is published. What is deleted and kept
/// there besides is decided by `decide`, once the destination is surveyed.
///
/// The destination stays locked as long as the [`Staged`] lives. On any error it is as it was, and what was staged
/// serves the next try.
pub fn stage<'a>(
    source: &'a Source,
    target: &Target,
    connection: &ConnectOptions<'a>,
    options: &'a Options,
    decide: &dyn Decide,
    monitor: &'a dyn Monitor,
) -> Result<Staged<'a>, PushError> {
    let staged = stage_with_retry(source, target, connection, options, Some(decide), monitor)?;
    monitor.event(Event::Staged);
    Ok(staged)
}

/// How far a push has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushState {
    /// It was only looked; the agent is gone.
    DryRun,
    /// There was nothing to do; the agent is gone.
    Nothing,
    /// The agent waits.
    Waiting,
}

/// A destination where everything is staged.
pub struct Staged<'a> {
    pub(crate) session: Session<'a>,
    pub(crate) memory: DestinationCache<'a>,
    pub(crate) survey: Survey,
    /// The source.
    pub(crate) entries: &'a [SourceEntry],
    pub(crate) report: Report,
    /// The history as it will be, where it changes.
    pub(crate) history: Option<Vec<u8>>,
    /// Something is left for pruning.
    pub(crate) prunes: bool,
    pub(crate) push_state: PushState,
}

impl<'a> Staged<'a> {
    /// What the push does, and what staging took.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What was known of the destination before.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Keeps the agent waiting, and notices one that is gone. To be called several times within the connection's
    /// timeout.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        if self.push_state == PushState::Waiting { self.session.keep_alive() } else { Ok(()) }
    }

    /// Publishes what is staged. Where that fails, every path of the destination is whole, old or new; pushing again
    /// completes it.
    pub fn publish(mut self) -> Result<Live<'a>, PushError> {
        match self.push_state {
            PushState::DryRun => return Err(PushError::DryRun),
            PushState::Nothing => {}
            PushState::Waiting => {
                self.session.publish()?;
                self.wait_published()?;
            }
        }
        Ok(Live(self))
    }

    /// Gives up: nothing is published. What is staged remains for another try, as after an interruption.
    pub fn abandon(mut self) {
        if self.push_state == PushState::Waiting {
            // An agent that is gone has given up already.
            let _ = self.session.end();
        }
    }

    /// Waits until everything is published, and remembers it.
    pub(crate) fn wait_published(&mut self) -> Result<(), PushError> {
        self.session.published()?;
        self.session.monitor().event(Event::Published);
        self.remember(false);
        if let Some(history) = &self.history {
            self.memory.keep_history(&self.survey.history, history);
        }
        Ok(())
    }

    /// Remembers what stands at the destination now.
    pub(crate) fn remember(&mut self, is_pruned: bool) {
        let state = state_after(&self.survey.state, &self.report.plan, self.entries, is_pruned);
        self.memory.keep_state(self.session.state(), self.session.link_speed(), state);
        self.session.measure(&mut self.report);
    }
}

/// A destination where everything is published.
pub struct Live<'a>(Staged<'a>);

impl Live<'_> {
    /// What the push did.
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// The same as [`Staged::tick`].
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        self.0.keep_alive()
    }

    /// Carries out what was left for pruning.
    pub fn prune(mut self) -> Result<Report, PushError> {
        if !self.0.prunes {
            return self.finish();
        }
        self.0.session.prune()?;
        self.0.session.published()?;
        self.0.session.monitor().event(Event::Pruned);
        self.0.remember(true);
        Ok(self.0.report)
    }

    /// Ends without pruning: what was left for it stays where it is.
    pub fn finish(mut self) -> Result<Report, PushError> {
        if self.0.push_state == PushState::Waiting {
            self.0.session.end()?;
            self.0.session.measure(&mut self.0.report);
        }
        Ok(self.0.report)
    }
}
