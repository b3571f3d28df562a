//! A push in steps: everything is staged first, on all hosts of a deploy, published later, pruned
//! last.

use super::by_agent::{LiveByAgent, StagedByAgent};
use super::report::Report;
use crate::error::PushError;
use crate::sftp::{LiveSftp, StagedSftp};

/// A destination where everything is staged. It is published next.
pub struct Staged<'a>(pub(super) StagedBy<'a>);

/// What staged it.
pub(super) enum StagedBy<'a> {
    Agent(Box<StagedByAgent<'a>>),
    Sftp(Box<StagedSftp<'a>>),
}

impl<'a> Staged<'a> {
    /// The report so far: the plan, and the costs of staging.
    pub fn report(&self) -> &Report {
        match &self.0 {
            StagedBy::Agent(staged) => staged.report(),
            StagedBy::Sftp(staged) => staged.report(),
        }
    }

    /// Keeps the connection alive, and notices one that has ended. To be called several times
    /// within the connection's timeout.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        match &mut self.0 {
            StagedBy::Agent(staged) => staged.keep_alive(),
            StagedBy::Sftp(staged) => staged.keep_alive(),
        }
    }

    /// Publishes what is staged. If that fails, it is put back. Where it can't be, the error says
    /// so, every path is whole, old or new, and pushing again completes it.
    pub fn publish(self) -> Result<Live<'a>, PushError> {
        Ok(Live(match self.0 {
            StagedBy::Agent(staged) => LiveBy::Agent(Box::new(staged.publish()?)),
            StagedBy::Sftp(staged) => LiveBy::Sftp(Box::new(staged.publish()?)),
        }))
    }

    /// Gives up: nothing is published. What an agent staged remains for another try, as after an
    /// interruption.
    pub fn abandon(self) {
        match self.0 {
            StagedBy::Agent(staged) => staged.abandon(),
            StagedBy::Sftp(staged) => staged.abandon(),
        }
    }
}

/// A destination where everything is published. It is pruned next.
pub struct Live<'a>(LiveBy<'a>);

enum LiveBy<'a> {
    Agent(Box<LiveByAgent<'a>>),
    Sftp(Box<LiveSftp<'a>>),
}

impl Live<'_> {
    /// Keeps the connection alive, as [`Staged::keep_alive`] does.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        match &mut self.0 {
            LiveBy::Agent(live) => live.keep_alive(),
            LiveBy::Sftp(live) => live.keep_alive(),
        }
    }

    /// Ends the push; `prunes`: what was left for pruning is deleted.
    pub fn end(self, prunes: bool) -> Result<Report, PushError> {
        match self.0 {
            LiveBy::Agent(live) if prunes => live.prune(),
            LiveBy::Agent(live) => live.finish(),
            LiveBy::Sftp(live) => live.finish(),
        }
    }

    /// Puts everything back as it was before publishing, where that can be done: over SFTP. An
    /// agent's stays.
    pub fn take_back(self) -> Result<(), PushError> {
        match self.0 {
            LiveBy::Agent(live) => live.finish().map(drop),
            LiveBy::Sftp(live) => live.take_back(),
        }
    }
}
