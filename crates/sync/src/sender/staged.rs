//! A push in steps: everything is staged first, on all hosts of a deploy, published later, pruned last.

use assetsync_ssh::Target;

use super::decision::Decide;
use super::error::PushError;
use super::memory::Memory;
use super::monitor::{Event, Monitor};
use super::outcome::outcome;
use super::push::{Options, stage_twice};
use super::reach::Connection;
use super::report::Report;
use super::session::Session;
use super::source::Source;
use super::survey::Survey;
use crate::compare::SourceEntry;

/// Stages `source` at `target`: all of it is there and verified, nothing of it is published. What is deleted and kept
/// there besides is decided by `decide`, once the destination is surveyed.
///
/// The destination stays locked as long as the [`Staged`] lives. On any error it is as it was, and what was staged
/// serves the next try.
pub fn stage<'a>(
    source: &'a Source,
    target: &Target,
    connection: &Connection<'a>,
    options: &'a Options,
    decide: &dyn Decide,
    monitor: &'a dyn Monitor,
) -> Result<Staged<'a>, PushError> {
    let staged = stage_twice(source, target, connection, options, Some(decide), monitor)?;
    monitor.event(Event::Staged);
    Ok(staged)
}

/// How far a push has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It was only looked; the agent is gone.
    DryRun,
    /// There was nothing to do; the agent is gone.
    Nothing,
    /// The agent waits.
    Waiting,
}

/// A destination where everything is staged.
pub struct Staged<'a> {
    pub(super) session: Session<'a>,
    pub(super) memory: Memory<'a>,
    pub(super) survey: Survey,
    /// The source.
    pub(super) entries: &'a [SourceEntry],
    pub(super) report: Report,
    /// The history as it will be, where it changes.
    pub(super) history: Option<Vec<u8>>,
    /// Something is left for pruning.
    pub(super) prunes: bool,
    pub(super) stand: Stand,
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
    pub fn tick(&mut self) -> Result<(), PushError> {
        if self.stand == Stand::Waiting { self.session.tick() } else { Ok(()) }
    }

    /// Publishes what is staged. Where that fails, every path of the destination is whole, old or new; pushing again
    /// completes it.
    pub fn publish(mut self) -> Result<Live<'a>, PushError> {
        match self.stand {
            Stand::DryRun => return Err(PushError::DryRun),
            Stand::Nothing => {}
            Stand::Waiting => {
                self.session.publish()?;
                self.hear_of_publishing()?;
            }
        }
        Ok(Live(self))
    }

    /// Gives up: nothing is published. What is staged remains for another try, as after an interruption.
    pub fn abandon(mut self) {
        if self.stand == Stand::Waiting {
            // An agent that is gone has given up already.
            let _ = self.session.end();
        }
    }

    /// Waits until everything is published, and remembers it.
    pub(super) fn hear_of_publishing(&mut self) -> Result<(), PushError> {
        self.session.published()?;
        self.session.monitor().event(Event::Published);
        self.remember(false);
        if let Some(history) = &self.history {
            self.memory.keep_history(&self.survey.history, history);
        }
        Ok(())
    }

    /// Remembers what stands at the destination now.
    pub(super) fn remember(&mut self, is_pruned: bool) {
        let state = outcome(&self.survey.state, &self.report.plan, self.entries, is_pruned);
        self.memory.keep_state(self.session.state(), self.session.distance(), state);
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
    pub fn tick(&mut self) -> Result<(), PushError> {
        self.0.tick()
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
        if self.0.stand == Stand::Waiting {
            self.0.session.end()?;
            self.0.session.measure(&mut self.0.report);
        }
        Ok(self.0.report)
    }
}
