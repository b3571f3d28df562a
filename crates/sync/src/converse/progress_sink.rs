//! Reports how much of the content has been sent and has arrived, while it is sent.

use std::time::Duration;

use assetsync_core::protocol::Outbox;

use super::wire::Wire;
use super::wire_estimate::WireEstimate;
use crate::encode::job::EncodeJob;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::{Event, Monitor};

/// Reports the progress of one destination.
pub struct ProgressReporter<'w> {
    monitor: &'w dyn Monitor,
    done: u64,
    total: u64,
    estimate: WireEstimate,
}

impl<'w> ProgressReporter<'w> {
    /// Reports the progress of sending the content of `work`.
    pub fn new(monitor: &'w dyn Monitor, work: &EncodeJob<'_>) -> ProgressReporter<'w> {
        let estimate = WireEstimate::new(work.actions());
        ProgressReporter { monitor, done: 0, total: work.bytes(), estimate }
    }

    /// Reports that `done` bytes of content are sent, or need not be.
    pub fn report(&mut self, done: u64, wire: &mut Wire) -> Result<(), PushError> {
        self.done = done;
        let (sent, acknowledged) = (wire.sent(), wire.read_receipts()?);
        let expected = self.estimate.note(done, sent);
        let total = self.total;
        self.monitor.event(Event::Progress { done, total, sent, acknowledged, expected });
        Ok(())
    }
}

/// A wire that reports progress.
pub struct ProgressSink<'w> {
    wire: &'w mut Wire,
    reporter: ProgressReporter<'w>,
}

impl<'w> ProgressSink<'w> {
    /// Reports the progress of sending the content of `work`.
    pub fn new(
        wire: &'w mut Wire,
        monitor: &'w dyn Monitor,
        work: &EncodeJob<'_>,
    ) -> ProgressSink<'w> {
        ProgressSink { wire, reporter: ProgressReporter::new(monitor, work) }
    }
}

impl MessageSink for ProgressSink<'_> {
    fn outbox(&mut self) -> &mut Outbox {
        self.wire.outbox()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.wire.write(bytes)
    }

    fn keep_alive(&mut self) -> Result<(), PushError> {
        self.wire.keep_alive()
    }

    fn blocked(&self) -> Duration {
        self.wire.blocked()
    }

    fn line_rate(&self, assumed: u64) -> Option<u64> {
        self.wire.line_rate(assumed)
    }

    fn progress(&mut self, bytes: u64) -> Result<(), PushError> {
        self.reporter.report(self.reporter.done + bytes, self.wire)
    }
}
