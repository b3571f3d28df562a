//! The agent's end of the conversation: reads with a timeout, writes whole frames, sends
//! heartbeats.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use assetsync_core::limits;
use assetsync_core::protocol::{
    Failure, FrameKind, Inbox, Message, Outbox, Receipt, Received, ToAgent, ToSender, put_frame,
};
use rustix::event::PollFlags;
use rustix::fs::{self, OFlags};

use super::confinement::{Allowed, Confine};
use super::error::AgentError;
use super::heartbeat::{Activity, send_heartbeats};
use super::output::{Output, wait};

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that wait in the outbox before they are written.
const WRITE_BYTES: usize = 32 * 1024;

/// The zstd level of lists, which are small; the target host may be slow.
const LEVEL: i32 = 3;

/// zstd window of the agent's stream: 512 KiB, to save the agent's memory.
const WINDOW_LOG: u32 = 19;

/// Time between receipts, which let the sender show how much has arrived, and measure what the line
/// carries.
const RECEIPT_INTERVAL: Duration = Duration::from_millis(500);

/// Least bytes between receipts.
const RECEIPT_BYTES: u64 = 16 * 1024;

/// From so many bytes on, a receipt is also sent whenever twice as many have arrived as at the one
/// before: soon after the beginning, when the sender knows least of the line.
const FIRST_RECEIPT_BYTES: u64 = 64 * 1024;

/// Longest time between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Both directions of the agent's conversation with its sender.
pub struct Conversation {
    input: File,
    inbox: Inbox<ToAgent<'static>>,
    outbox: Outbox,
    output: Arc<Mutex<Output>>,
    activity: Arc<Activity>,
    /// Called if the sender is gone while nothing is published.
    gone: Option<Box<dyn FnOnce() + Send>>,
    /// Limits the process once its directories are open.
    pub confine: Option<Confine>,
    timeout: Duration,
    heartbeat: Duration,
    piece: Vec<u8>,
    /// Whether the first line is still to be read and dropped: the *Hello* is known already.
    pub skips_first_line: bool,
    received: ReceivedBytes,
    /// Whether a turn of the sender begins: until its first bytes come, the agent waits for the
    /// sender and not for the line.
    turn_begins: bool,
}

/// How much was received, and what the sender knows of it.
struct ReceivedBytes {
    count: u64,
    acknowledged: u64,
    /// How long the agent has waited for them.
    waited: Duration,
    /// When the last receipt was sent, or the first would have been.
    last: Instant,
}

impl ReceivedBytes {
    /// Adds bytes; returns a receipt if one is due.
    fn add(&mut self, count: usize) -> Option<Receipt> {
        self.count += count as u64;
        let new = self.count - self.acknowledged;
        let has_doubled = new >= self.acknowledged.max(FIRST_RECEIPT_BYTES);
        let is_late = new >= RECEIPT_BYTES && self.last.elapsed() >= RECEIPT_INTERVAL;
        let is_due = has_doubled || is_late;
        is_due.then(|| {
            (self.acknowledged, self.last) = (self.count, Instant::now());
            Receipt { bytes: self.count, waited: self.waited }
        })
    }
}

impl Conversation {
    /// A conversation over two streams. Until the *Hello* is read, `timeout` is how long to wait
    /// for it.
    pub fn new(input: OwnedFd, output: OwnedFd, timeout: Duration) -> io::Result<Conversation> {
        fs::fcntl_setfl(&output, fs::fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
        let output = Output { file: output.into(), last: Instant::now(), timeout };
        Ok(Conversation {
            input: input.into(),
            inbox: Inbox::new()?,
            outbox: Outbox::with_window(LEVEL, Some(WINDOW_LOG))?,
            output: Arc::new(Mutex::new(output)),
            activity: Arc::default(),
            gone: None,
            confine: None,
            timeout,
            heartbeat: HEARTBEAT,
            piece: vec![0; READ_BYTES],
            skips_first_line: false,
            received: ReceivedBytes {
                count: 0,
                acknowledged: 0,
                waited: Duration::ZERO,
                last: Instant::now(),
            },
            turn_begins: true,
        })
    }

    /// Calls `gone` if the sender is found to be gone while the agent works, unless it publishes.
    pub fn when_gone(&mut self, gone: Box<dyn FnOnce() + Send>) {
        self.gone = Some(gone);
    }

    /// Completes what follows even if the sender is gone.
    pub fn begin_publishing(&self) {
        self.activity.publishing.store(true, Ordering::Relaxed);
    }

    /// Writes text as it is, before the conversation proper.
    pub fn banner(&mut self, text: &str) -> Result<(), AgentError> {
        self.write(text.as_bytes())
    }

    /// Reads the first line. Bytes after it belong to the conversation.
    pub fn first_line(&mut self) -> Result<Vec<u8>, AgentError> {
        let mut line = Vec::new();
        while line.len() <= limits::HELLO_LINE_BYTES {
            let count = self.read_some()?;
            self.received.count += count as u64;
            line.extend_from_slice(&self.piece[..count]);
            if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
                self.inbox.receive(&line[end + 1..]);
                line.truncate(end);
                return Ok(line);
            }
        }
        Err(AgentError::protocol("first line does not end"))
    }

    /// Sets the timeout. Heartbeats are sent well within it.
    pub fn set_timeout(&mut self, timeout: Duration) {
        // The sender should time out first; the agent's timeout is for a sender that has vanished.
        self.timeout = timeout * 2;
        self.output.lock().unwrap_or_else(PoisonError::into_inner).timeout = self.timeout;
        self.heartbeat = (timeout / 4).clamp(Duration::from_millis(50), HEARTBEAT);
    }

    /// Limits the process to these directories, and then starts the heartbeats: on a thread that is
    /// limited, too.
    pub fn begin_work(&mut self, allowed: &[Allowed<'_>]) {
        if let Some(confine) = self.confine {
            confine(allowed);
        }
        let every = self.heartbeat;
        let (output, activity) = (Arc::clone(&self.output), Arc::clone(&self.activity));
        let gone = self.gone.take().unwrap_or_else(|| Box::new(|| ()));
        std::thread::spawn(move || send_heartbeats(&output, &activity, every, gone));
    }

    /// The sender's next message or frame.
    pub fn receive(&mut self) -> Result<Received<'_, ToAgent<'_>>, AgentError> {
        if std::mem::take(&mut self.skips_first_line) {
            self.flush()?;
            self.first_line()?;
            self.turn_begins = true;
        }
        while !self.inbox.ready()? {
            self.flush()?;
            let count = self.read_some()?;
            self.inbox.receive(&self.piece[..count]);
            self.acknowledge(count)?;
        }
        Ok(self.inbox.pop()?)
    }

    /// Sends a receipt if one is due. The bytes of the first line count, too.
    fn acknowledge(&mut self, count: usize) -> Result<(), AgentError> {
        let Some(receipt) = self.received.add(count) else { return Ok(()) };
        let mut frame = Vec::new();
        put_frame(&mut frame, FrameKind::Receipt, &receipt.encode());
        self.write(&frame)
    }

    /// Sets the prefix of the next zstd frame.
    pub fn expect_prefix(&mut self, prefix: Vec<u8>) -> Result<(), AgentError> {
        Ok(self.inbox.expect_prefix(prefix)?)
    }

    /// The sender's next message; any other frame breaks the protocol.
    pub fn message(&mut self) -> Result<ToAgent<'_>, AgentError> {
        match self.receive()? {
            Received::Message(message) => Ok(message),
            Received::Stored(_) => Err(AgentError::protocol("stored content out of place")),
            Received::Failure(_) => Err(AgentError::SenderGone),
        }
    }

    fn read_some(&mut self) -> Result<usize, AgentError> {
        loop {
            self.wait_for_input()?;
            match self.input.read(&mut self.piece) {
                Ok(0) => return Err(AgentError::SenderGone),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(AgentError::SenderGone),
            }
        }
    }

    fn wait_for_input(&mut self) -> Result<(), AgentError> {
        let since = Instant::now();
        self.activity.waiting.store(true, Ordering::Relaxed);
        let waited = wait(&self.input, PollFlags::IN, self.timeout);
        self.activity.waiting.store(false, Ordering::Relaxed);
        if !std::mem::take(&mut self.turn_begins) {
            self.received.waited += since.elapsed();
        }
        waited.map_err(|_| AgentError::SenderGone)
    }

    /// Sends a message.
    pub fn send(&mut self, message: &ToSender<'_>) -> Result<(), AgentError> {
        self.outbox.send(message);
        self.turn_begins |= message.ends_turn();
        if self.outbox.waiting() >= WRITE_BYTES { self.write_outbox() } else { Ok(()) }
    }

    /// Flushes all messages.
    pub fn flush(&mut self) -> Result<(), AgentError> {
        self.outbox.flush();
        self.write_outbox()
    }

    /// Sends the failure that ends the conversation.
    pub fn fail(&mut self, failure: &Failure) -> Result<(), AgentError> {
        self.outbox.fail(failure);
        self.write_outbox()
    }

    fn write_outbox(&mut self) -> Result<(), AgentError> {
        let bytes = self.outbox.take();
        if bytes.is_empty() { Ok(()) } else { self.write(&bytes) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write(bytes).map_err(|_| AgentError::SenderGone)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.activity.done.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_come_soon_at_first_and_when_time_has_passed() {
        // No time passes before this.
        let last = Instant::now() + Duration::from_secs(3600);
        let waited = Duration::from_secs(7);
        let mut received = ReceivedBytes { count: 0, acknowledged: 0, waited, last };
        let mut receipts = Vec::new();
        for _ in 0..100 {
            receipts.extend(received.add(10_000));
            received.last = last;
        }
        let expected = [70_000, 140_000, 280_000, 560_000];
        assert_eq!(receipts, expected.map(|bytes| Receipt { bytes, waited }));
        let past = Instant::now().checked_sub(RECEIPT_INTERVAL).expect("a time before now");
        received.last = past;
        assert_eq!(received.add(10), Some(Receipt { bytes: 1_000_010, waited }));
        received.last = past;
        assert_eq!(received.add(10), None, "too few bytes");
    }
}
