//! The agent's end of the conversation: reads with a deadline, writes whole frames, shows signs of life.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::AgentError;
use crate::limits;
use crate::proto::{Failure, FrameKind, Inbox, Message, Outbox, Received, put_frame};

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that wait in the outbox before they are written.
const WRITE_BYTES: usize = 32 * 1024;

/// How well lists are compressed. They are small and the machine is, too.
const LEVEL: i32 = 3;

/// Window of what the agent sends: 512 KiB, for its own memory's sake.
const WINDOW_LOG: u32 = 19;

/// Longest time between signs of life.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Both directions of the agent's conversation with its sender.
pub struct Conversation {
    input: File,
    inbox: Inbox,
    outbox: Outbox,
    output: Arc<Mutex<Output>>,
    timeout: Duration,
    piece: Vec<u8>,
}

/// The output and when it was last used; shared with the thread that shows signs of life.
struct Output {
    file: File,
    last: Instant,
    done: bool,
}

impl Output {
    fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        self.file.write_all(frames)?;
        self.last = Instant::now();
        Ok(())
    }
}

impl Conversation {
    /// A conversation over two streams. Until the *Hello* is read, `timeout` is how long to wait for it.
    pub fn new(input: OwnedFd, output: OwnedFd, timeout: Duration) -> io::Result<Conversation> {
        let output = Output { file: output.into(), last: Instant::now(), done: false };
        Ok(Conversation {
            input: input.into(),
            inbox: Inbox::new()?,
            outbox: Outbox::with_window(LEVEL, Some(WINDOW_LOG))?,
            output: Arc::new(Mutex::new(output)),
            timeout,
            piece: vec![0; READ_BYTES],
        })
    }

    /// Writes text as it is, before the conversation proper.
    pub fn banner(&mut self, text: &str) -> Result<(), AgentError> {
        self.write(text.as_bytes())
    }

    /// Reads the first line. What follows it belongs to the conversation.
    pub fn first_line(&mut self) -> Result<Vec<u8>, AgentError> {
        let mut line = Vec::new();
        while line.len() <= limits::HELLO_LINE_BYTES {
            let count = self.read_some()?;
            line.extend_from_slice(&self.piece[..count]);
            if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
                self.inbox.receive(&line[end + 1..]);
                line.truncate(end);
                return Ok(line);
            }
        }
        Err(AgentError::protocol("first line does not end"))
    }

    /// From now on gives up after `timeout` without a byte, and shows signs of life well within it.
    pub fn start(&mut self, timeout: Duration) {
        // The sender has first say on giving up; this is for the case that nobody is there any more.
        self.timeout = timeout * 2;
        let every = (timeout / 4).clamp(Duration::from_millis(50), HEARTBEAT);
        let output = Arc::clone(&self.output);
        std::thread::spawn(move || show_signs_of_life(&output, every));
    }

    /// What the sender says next.
    pub fn receive(&mut self) -> Result<Received<'_>, AgentError> {
        while !self.inbox.ready()? {
            self.flush()?;
            let count = self.read_some()?;
            self.inbox.receive(&self.piece[..count]);
        }
        Ok(self.inbox.pop()?)
    }

    /// The sender's next message; anything else is a breach.
    pub fn message(&mut self) -> Result<Message<'_>, AgentError> {
        match self.receive()? {
            Received::Message(message) => Ok(message),
            Received::Stored(_) => Err(AgentError::protocol("stored content out of place")),
            Received::Failure(_) => Err(AgentError::Gone),
        }
    }

    fn read_some(&mut self) -> Result<usize, AgentError> {
        loop {
            self.wait()?;
            match self.input.read(&mut self.piece) {
                Ok(0) => return Err(AgentError::Gone),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(AgentError::Gone),
            }
        }
    }

    fn wait(&self) -> Result<(), AgentError> {
        let limit = Timespec {
            tv_sec: self.timeout.as_secs() as _,
            tv_nsec: self.timeout.subsec_nanos() as _,
        };
        let mut fds = [PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN)];
        match poll(&mut fds, Some(&limit)) {
            Ok(0) => Err(AgentError::Gone),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(_) => Err(AgentError::Gone),
        }
    }

    /// Says something.
    pub fn send(&mut self, message: &Message<'_>) -> Result<(), AgentError> {
        self.outbox.send(message);
        if self.outbox.waiting() >= WRITE_BYTES { self.write_outbox() } else { Ok(()) }
    }

    /// Makes sure that everything said is on its way.
    pub fn flush(&mut self) -> Result<(), AgentError> {
        self.outbox.flush();
        self.write_outbox()
    }

    /// Says why it ends here.
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
        output.write(bytes).map_err(|_| AgentError::Gone)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).done = true;
    }
}

/// Writes a heartbeat whenever nothing else was written for a while, until the conversation ends.
fn show_signs_of_life(output: &Mutex<Output>, every: Duration) {
    let mut frame = Vec::new();
    put_frame(&mut frame, FrameKind::Heartbeat, &[]);
    loop {
        std::thread::sleep(every / 2);
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.done || (output.last.elapsed() >= every && output.write(&frame).is_err()) {
            return;
        }
    }
}
