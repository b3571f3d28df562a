//! A destination to which everything is uploaded over SFTP.

use super::live::LiveSftp;
use super::publish::{Made, Publisher};
use super::publish_order::PublishOrder;
use super::uploaded::Uploaded;
use crate::error::PushError;
use crate::push::report::Report;

/// A destination to which everything is uploaded. It is published next.
pub struct StagedSftp<'a>(pub(super) Uploaded<'a>);

impl<'a> StagedSftp<'a> {
    /// The report so far.
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// Keeps the connection alive, as [`Uploaded::keep_alive`] does.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        self.0.keep_alive()
    }

    /// Publishes everything that is new. What fails is taken back.
    pub fn publish(self) -> Result<LiveSftp<'a>, PushError> {
        let StagedSftp(mut push) = self;
        if push.dry_run {
            return Err(PushError::DryRun);
        }
        let Some((root, stage)) = &push.staged else {
            return Ok(LiveSftp { push, made: Made::default() });
        };
        if !push.remote.session.renames_atomically() {
            push.remote.notice(
                "The server has no posix-rename: each file that is replaced is missing for a moment",
            );
        }
        let plan = &push.report.plan;
        let steps = PublishOrder::of(plan, &push.state);
        let mut publisher =
            Publisher::new(&mut push.remote, (stage, root), plan, &push.state, Made::default());
        let made = publisher.publish(&steps, &mut push.kept).map(|()| publisher.into_made());
        match made {
            Ok(made) => Ok(LiveSftp { push, made }),
            Err(error) => {
                if !matches!(error, PushError::Closed(_)) {
                    stage.close(&mut push.remote, false);
                }
                Err(error)
            }
        }
    }

    /// Gives up: nothing is published, and what was uploaded is removed.
    pub fn abandon(self) {
        let StagedSftp(mut push) = self;
        if let Some((_, stage)) = &push.staged {
            stage.close(&mut push.remote, false);
        }
        push.end();
    }

    /// Ends a dry run.
    pub(super) fn end_dry_run(self) -> Report {
        self.0.end()
    }
}
