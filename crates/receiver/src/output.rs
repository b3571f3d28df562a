//! The agent's output, which the conversation and the heartbeats share.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The output and when it was last used; shared with the heartbeat thread.
pub struct Output {
    /// The stream, which does not block.
    pub file: File,
    /// When something was written last.
    pub last: Instant,
    /// How long to wait for the sender to read.
    pub timeout: Duration,
}

impl Output {
    /// Writes all of `frames`. The output does not block: if the sender stops reading, the agent
    /// times out and its lock is released.
    pub fn write(&mut self, mut frames: &[u8]) -> io::Result<()> {
        while !frames.is_empty() {
            match self.file.write(frames) {
                Ok(count) => frames = &frames[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(&self.file, PollFlags::OUT, self.timeout)?;
                }
                Err(error) => return Err(error),
            }
        }
        self.last = Instant::now();
        Ok(())
    }
}

/// Waits until `file` can be read or written, or until the timeout.
pub fn wait(file: &File, flags: PollFlags, timeout: Duration) -> io::Result<()> {
    let limit = Timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos() as _ };
    match poll(&mut [PollFd::new(file, flags)], Some(&limit)) {
        Ok(0) => Err(io::ErrorKind::TimedOut.into()),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
