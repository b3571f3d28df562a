//! A destination where everything new is published over SFTP, and nothing is deleted yet.

use super::publish::{Made, Publisher};
use super::publish_order::PublishOrder;
use super::uploaded::Uploaded;
use crate::error::PushError;
use crate::event::Event;
use crate::push::report::Report;

/// A destination where everything new is published. Until it is finished, that can be taken back.
pub struct LiveSftp<'a> {
    pub(super) push: Uploaded<'a>,
    pub(super) made: Made,
}

impl LiveSftp<'_> {
    /// Keeps the connection alive, as [`Uploaded::keep_alive`] does.
    pub fn keep_alive(&mut self) -> Result<(), PushError> {
        self.push.keep_alive()
    }

    /// Deletes what shall go, and removes what the push needed.
    pub fn finish(mut self) -> Result<Report, PushError> {
        let push = &mut self.push;
        if let Some((root, stage)) = &push.staged {
            let plan = &push.report.plan;
            let steps = PublishOrder::of(plan, &push.state);
            let to = (stage, &root[..]);
            let mut publisher = Publisher::new(&mut push.remote, to, plan, &push.state, self.made);
            let done = publisher.complete(&steps, &mut push.kept);
            if done.is_ok() && push.marks {
                stage.mark(&mut push.remote);
            }
            if !matches!(done, Err(PushError::Closed(_))) {
                stage.close(&mut push.remote, done.is_ok() && push.marks);
            }
            done?;
            if let Some(warning) = push.kept.warning() {
                push.remote.notice(&warning);
            }
            push.remote.monitor.event(Event::Published);
        }
        push.cached.keep(&push.state, &push.report.plan, &push.kept);
        Ok(self.push.end())
    }

    /// Puts everything back as it was.
    pub fn take_back(mut self) -> Result<(), PushError> {
        let push = &mut self.push;
        let Some((root, stage)) = &push.staged else { return Ok(()) };
        let to = (stage, &root[..]);
        let (plan, state) = (&push.report.plan, &push.state);
        let mut publisher = Publisher::new(&mut push.remote, to, plan, state, self.made);
        let taken_back = publisher.undo_all();
        if !matches!(taken_back, Err(PushError::Closed(_))) {
            stage.close(&mut push.remote, false);
        }
        taken_back?;
        self.push.end();
        Ok(())
    }
}
