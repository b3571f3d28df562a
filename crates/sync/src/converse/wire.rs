//! The sender's end of the connection to an agent: reads and writes with a timeout, counts bytes,
//! limits the rate.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use assetsync_core::limits;
use assetsync_core::protocol::{
    CodecContext, FrameKind, Inbox, Outbox, Receipt, Received, ToSender, put_frame,
};
use assetsync_ssh::bootstrap::Started;
use assetsync_ssh::{CommandHandle, TimedReader, TimedWriter};

use crate::cost::line_rate::LineRate;
use crate::encode::sink::MessageSink;
use crate::error::PushError;

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 128 * 1024;

/// Most that an agent may send while content is sent to it, in bytes.
const WAITING_BYTES: usize = 1024 * 1024;

/// The zstd level of the conversation.
const LEVEL: i32 = 3;

/// Longest time between heartbeats while nothing else is sent.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long to wait for the exit status of an agent that has closed its output.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// How long to wait for the end of an agent that has no more to do.
const END_GRACE: Duration = Duration::from_secs(10);

/// Both directions of a conversation with an agent.
pub struct Wire {
    reader: TimedReader,
    writer: TimedWriter,
    end: CommandHandle,
    inbox: Inbox<ToSender<'static>>,
    outbox: Outbox,
    timeout: Duration,
    rate: Option<Rate>,
    piece: Vec<u8>,
    last_write: Instant,
    last_read: Instant,
    blocked: Duration,
    since: Instant,
    line_rate: LineRate,
    /// How often this side waited for an answer after it had sent something.
    pub round_trips: u32,
    sent_since_read: bool,
    sent: u64,
    /// Bytes read so far.
    pub received: u64,
}

impl Wire {
    /// Takes over from the bootstrap. `first_line` bytes were sent already.
    pub fn new(
        started: Started,
        first_line: usize,
        timeout: Duration,
        bytes_per_second: Option<u64>,
    ) -> Result<Wire, PushError> {
        let mut inbox = Inbox::new().map_err(PushError::Io)?;
        inbox.receive(&started.read_ahead);
        let channel = started.channel;
        Ok(Wire {
            reader: TimedReader::new(channel.reader, timeout).map_err(PushError::Io)?,
            writer: TimedWriter::new(channel.writer, timeout).map_err(PushError::Io)?,
            end: channel.end,
            inbox,
            outbox: Outbox::new(LEVEL).map_err(PushError::Io)?,
            timeout,
            rate: bytes_per_second.map(Rate::new),
            piece: vec![0; READ_BYTES],
            last_write: Instant::now(),
            last_read: Instant::now(),
            blocked: Duration::ZERO,
            since: Instant::now(),
            line_rate: LineRate::default(),
            round_trips: 0,
            sent_since_read: true,
            sent: first_line as u64,
            received: started.read_ahead.len() as u64,
        })
    }

    /// Receives the next message.
    pub fn receive(&mut self) -> Result<ToSender<'_>, PushError> {
        self.receive_while(&mut |_| {})
    }

    /// Receives the next message, and calls `acknowledged` whenever more bytes have arrived.
    pub fn receive_while(
        &mut self,
        acknowledged: &mut dyn FnMut(u64),
    ) -> Result<ToSender<'_>, PushError> {
        self.round_trips += u32::from(std::mem::take(&mut self.sent_since_read));
        let mut known = self.acknowledged();
        while !self.inbox.ready()? {
            self.read_some()?;
            let now = self.acknowledged();
            self.note_receipt();
            if std::mem::replace(&mut known, now) != now {
                acknowledged(now);
            }
        }
        self.pop()
    }

    fn pop(&mut self) -> Result<ToSender<'_>, PushError> {
        match self.inbox.pop()? {
            Received::Message(message) => Ok(message),
            Received::Failure(failure) => Err(PushError::Agent(failure)),
            Received::Stored(_) => Err(PushError::Protocol("stored content from an agent".into())),
        }
    }

    fn read_some(&mut self) -> Result<(), PushError> {
        match self.reader.read(&mut self.piece) {
            Ok(0) => Err(self.closed()),
            Ok(count) => {
                self.take(count);
                Ok(())
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Bytes per second that were carried, for a later push.
    pub fn carried(&self, assumed: u64) -> Option<u64> {
        self.line_rate.carried(assumed)
    }

    /// Measures the line from here on: content follows.
    pub fn begin_measuring(&mut self) {
        self.line_rate = LineRate::default();
    }

    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that have arrived, as far as the agent has said so.
    pub fn acknowledged(&self) -> u64 {
        self.receipt().bytes
    }

    /// The last receipt; the agent can't have received more than was sent.
    fn receipt(&self) -> Receipt {
        let receipt = self.inbox.receipt();
        Receipt { bytes: receipt.bytes.min(self.sent), ..receipt }
    }

    fn note_receipt(&mut self) {
        self.line_rate.note(self.since.elapsed(), self.receipt(), self.sent);
    }

    /// Reads what has come from the agent, without waiting: it sends receipts while content is sent
    /// to it. A failure of the connection shows when it is used next.
    pub fn read_receipts(&mut self) -> Result<u64, PushError> {
        self.reader.set_idle(Duration::ZERO);
        let read = self.reader.read(&mut self.piece);
        self.reader.set_idle(self.timeout);
        if let Ok(count @ 1..) = read {
            self.take(count);
        }
        // A message may be complete; what comes after it waits until it is received.
        self.inbox.ready()?;
        self.note_receipt();
        match self.inbox.waiting() > WAITING_BYTES {
            true => Err(PushError::Protocol("too many messages while content is sent".into())),
            false => Ok(self.acknowledged()),
        }
    }

    fn take(&mut self, count: usize) {
        self.received += count as u64;
        self.last_read = Instant::now();
        self.inbox.receive(&self.piece[..count]);
    }

    /// Checks, without waiting, that the agent is still there and has sent nothing but heartbeats.
    pub fn poll_peer(&mut self) -> Result<(), PushError> {
        loop {
            self.reader.set_idle(Duration::ZERO);
            let read = self.reader.read(&mut self.piece);
            self.reader.set_idle(self.timeout);
            match read {
                Ok(0) => return Err(self.closed()),
                Ok(count) => self.take(count),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
                Err(error) => return Err(self.explain(error)),
            }
            if self.inbox.ready()? {
                return match self.inbox.pop()? {
                    Received::Failure(failure) => Err(PushError::Agent(failure)),
                    Received::Message(message) => Err(PushError::unexpected(&message)),
                    Received::Stored(_) => {
                        Err(PushError::Protocol("stored content from an agent".into()))
                    }
                };
            }
        }
        match self.last_read.elapsed() > self.timeout {
            true => Err(PushError::Timeout(self.timeout)),
            false => Ok(()),
        }
    }

    /// Ends the zstd frame and writes it. Until [`resume`](Wire::resume), frames encoded elsewhere
    /// may be [written](Wire::write_encoded); they must begin with the codec context that is
    /// returned.
    pub fn pause(&mut self) -> Result<CodecContext, PushError> {
        let context = self.outbox.end();
        self.write_at_least(1)?;
        Ok(context)
    }

    /// Writes frames encoded elsewhere, in pieces of any size.
    pub fn write_encoded(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.outbox.pass(bytes);
        self.write(bytes)
    }

    /// Continues after frames encoded elsewhere, which ended with the codec context `context`.
    pub fn resume(&mut self, context: CodecContext) -> Result<(), PushError> {
        self.outbox.resume(context, LEVEL).map_err(PushError::Io)
    }

    /// Fails if the agent has ended. Does not wait.
    pub fn check(&mut self) -> Result<(), PushError> {
        let is_gone =
            self.writer.is_hung_up().and_then(|gone| Ok(gone || self.reader.is_hung_up()?));
        match is_gone {
            Ok(false) => Ok(()),
            Ok(true) => Err(self.read_failure(io::ErrorKind::BrokenPipe.into())),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Waits for the agent to end, after its last message. Something that the login shell started
    /// may keep the connection open for ever.
    pub fn wait_end(&mut self) -> Result<(), PushError> {
        self.reader.set_idle(END_GRACE.min(self.timeout));
        match self.receive() {
            Ok(other) => Err(PushError::unexpected(&other)),
            Err(PushError::Closed(_) | PushError::Timeout(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Give up after this long without a byte.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What the program that made the connection has printed to standard error, or the agent.
    pub fn stderr_so_far(&self) -> String {
        self.end.stderr_so_far()
    }

    /// Ends the connection at once, so that the destination is unlocked.
    pub fn disconnect(&mut self) {
        self.end.kill();
    }

    /// The error for a failed write. An agent that fails sends the reason before it ends, so read
    /// on until it comes.
    fn read_failure(&mut self, error: io::Error) -> PushError {
        if error.kind() == io::ErrorKind::TimedOut {
            return self.explain(error);
        }
        loop {
            match self.receive() {
                Ok(_) => {}
                Err(reason) => return reason,
            }
        }
    }

    /// The error of an agent that has ended, and why it did.
    fn closed(&mut self) -> PushError {
        // One that still reads ends when its input does.
        let null = std::fs::File::options().write(true).open("/dev/null");
        if let Ok(writer) = null.and_then(|null| TimedWriter::new(null.into(), self.timeout)) {
            self.writer = writer;
        }
        PushError::Closed(self.end.reason_within(CLOSING_GRACE))
    }

    fn explain(&mut self, error: io::Error) -> PushError {
        match error.kind() {
            io::ErrorKind::TimedOut => PushError::Timeout(self.timeout),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.closed(),
            _ => PushError::Io(error),
        }
    }
}

impl MessageSink for Wire {
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        self.sent_since_read = true;
        let started = Instant::now();
        self.note_receipt();
        for piece in bytes.chunks(limits::FRAME_BYTES) {
            if let Some(rate) = &mut self.rate {
                rate.pace(piece.len());
            }
            if let Err(error) = self.writer.write_all(piece) {
                return Err(self.read_failure(error));
            }
            self.sent += piece.len() as u64;
        }
        self.last_write = Instant::now();
        self.blocked += self.last_write - started;
        Ok(())
    }

    fn keep_alive(&mut self) -> Result<(), PushError> {
        if self.last_write.elapsed() < HEARTBEAT.min(self.timeout / 4) {
            return Ok(());
        }
        let mut frame = Vec::new();
        put_frame(&mut frame, FrameKind::Heartbeat, &[]);
        // A heartbeat has no answer, so it begins no round trip.
        let sent_since_read = self.sent_since_read;
        self.write(&frame)?;
        self.sent_since_read = sent_since_read;
        Ok(())
    }

    fn blocked(&self) -> Duration {
        self.blocked
    }

    fn line_rate(&self, assumed: u64) -> Option<u64> {
        self.line_rate.bytes_per_second(assumed)
    }
}

/// Limits the rate of writing, measured from the first byte.
pub(crate) struct Rate {
    bytes_per_second: u64,
    start: Instant,
    written: u64,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: u64) -> Rate {
        Rate { bytes_per_second: bytes_per_second.max(1), start: Instant::now(), written: 0 }
    }

    /// Waits until `count` more bytes are due.
    pub(crate) fn pace(&mut self, count: usize) {
        let due = Duration::from_secs_f64(self.written as f64 / self.bytes_per_second as f64);
        std::thread::sleep(due.saturating_sub(self.start.elapsed()));
        self.written += count as u64;
    }
}
