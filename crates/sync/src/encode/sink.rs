//! Where encoded messages are written: to one agent, or to a shared encoding for several.

use std::time::Duration;

use assetsync_core::protocol::{Outbox, ToAgent};

use crate::error::PushError;

/// Bytes that wait in the outbox before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// Encodes messages and writes them.
pub trait MessageSink {
    /// Encodes the messages.
    fn outbox(&mut self) -> &mut Outbox;

    /// Writes bytes, which are whole frames.
    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError>;

    /// Sends a heartbeat if nothing was written for a while.
    fn keep_alive(&mut self) -> Result<(), PushError>;

    /// Time spent blocked in writing.
    fn blocked(&self) -> Duration;

    /// Bytes per second of the line, if they are measured; a line that was not always busy counts
    /// only if it is faster than `assumed`.
    fn line_rate(&self, assumed: u64) -> Option<u64>;

    /// Reports that this many more bytes of content are sent or need not be.
    fn progress(&mut self, _bytes: u64) -> Result<(), PushError> {
        Ok(())
    }

    /// Sets the zstd level for the messages that follow.
    fn set_level(&mut self, level: i32, window_log: u32) -> Result<(), PushError> {
        self.outbox().tune(level, window_log).map_err(PushError::Io)
    }

    /// Sends a zstd frame that was compressed elsewhere.
    fn send_frame(&mut self, frame: &[u8]) -> Result<(), PushError> {
        self.outbox().send_frame(frame);
        self.write_at_least(WRITE_BYTES)
    }

    /// Sends a message.
    fn send(&mut self, message: &ToAgent<'_>) -> Result<(), PushError> {
        self.outbox().send(message);
        self.write_at_least(WRITE_BYTES)
    }

    /// Sends a piece of content that is not compressed again.
    fn send_stored(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.outbox().send(&ToAgent::Stored { length: bytes.len() as u64 });
        self.outbox().send_stored(bytes);
        self.write_at_least(WRITE_BYTES)
    }

    /// Flushes all messages.
    fn flush(&mut self) -> Result<(), PushError> {
        self.outbox().flush();
        self.write_at_least(1)
    }

    /// Writes the outbox if it holds at least this many bytes.
    fn write_at_least(&mut self, least: usize) -> Result<(), PushError> {
        if self.outbox().waiting() < least {
            return Ok(());
        }
        let bytes = self.outbox().take();
        self.write(&bytes)
    }
}
