//! Where the sender's words go: straight to an agent, or onto a tape for several.

use std::time::Duration;

use assetsync_core::protocol::{Outbox, ToAgent};

use crate::error::PushError;

/// Bytes that wait in the outbox before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// Takes messages and passes their bytes on.
pub trait MessageSink {
    /// What turns messages into bytes.
    fn outbox(&mut self) -> &mut Outbox;

    /// Passes on bytes, which are whole frames.
    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError>;

    /// Shows that this side lives, if it has been silent for a while.
    fn keep_alive(&mut self) -> Result<(), PushError>;

    /// Time spent waiting for the other side to take what was written.
    fn blocked(&self) -> Duration;

    /// Bytes written so far.
    fn sent(&self) -> u64;

    /// Takes note that so many more bytes of the source's content are dealt with.
    fn progress(&mut self, _bytes: u64) {}

    /// Chooses how hard messages are compressed from here on.
    fn set_level(&mut self, level: i32, window_log: u32) -> Result<(), PushError> {
        self.outbox().tune(level, window_log).map_err(PushError::Io)
    }

    /// The same, with a prefix for what follows: [`ToAgent::Prefix`] was said last.
    fn set_level_with_prefix(
        &mut self,
        level: i32,
        window_log: u32,
        prefix: &[u8],
    ) -> Result<(), PushError> {
        self.outbox().tune_with_prefix(level, window_log, prefix).map_err(PushError::Io)
    }

    /// Says something.
    fn send(&mut self, message: &ToAgent<'_>) -> Result<(), PushError> {
        self.outbox().send(message);
        self.write_at_least(WRITE_BYTES)
    }

    /// Says a piece of content that is not compressed again.
    fn send_stored(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.outbox().send(&ToAgent::Stored { length: bytes.len() as u64 });
        self.outbox().send_stored(bytes);
        self.write_at_least(WRITE_BYTES)
    }

    /// Makes sure that everything said is on its way.
    fn flush(&mut self) -> Result<(), PushError> {
        self.outbox().flush();
        self.write_at_least(1)
    }

    /// Passes on what waits in the outbox, if that is at least so many bytes.
    fn write_at_least(&mut self, least: usize) -> Result<(), PushError> {
        if self.outbox().waiting() < least {
            return Ok(());
        }
        let bytes = self.outbox().take();
        self.write(&bytes)
    }
}
