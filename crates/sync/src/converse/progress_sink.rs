//! Reports how much of the content has been sent, while it is sent.

use std::time::Duration;

use assetsync_core::protocol::Outbox;

use super::wire::Wire;
use crate::encode::sink::MessageSink;
use crate::error::PushError;
use crate::event::{Event, Monitor};

/// A wire that reports progress.
pub struct ProgressSink<'w> {
    wire: &'w mut Wire,
    monitor: &'w dyn Monitor,
    done: u64,
    total: u64,
}

impl<'w> ProgressSink<'w> {
    /// Reports the progress of sending `total` bytes of content.
    pub fn new(wire: &'w mut Wire, monitor: &'w dyn Monitor, total: u64) -> ProgressSink<'w> {
        ProgressSink { wire, monitor, done: 0, total }
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

    fn sent(&self) -> u64 {
        self.wire.sent()
    }

    fn progress(&mut self, bytes: u64) {
        self.done += bytes;
        let (done, total, sent) = (self.done, self.total, self.sent());
        self.monitor.event(Event::Progress { done, total, sent });
    }
}
