//! Readers and writers that time out when the other side stays idle.

use std::io::{self, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// A descriptor to read from or to write to; a wait longer than the idle limit is
/// [`ErrorKind::TimedOut`].
#[derive(Debug)]
pub struct Timed<D> {
    fd: OwnedFd,
    idle: Duration,
    direction: PhantomData<D>,
}

/// The direction of a [`TimedReader`].
#[derive(Debug)]
pub enum Reading {}

/// The direction of a [`TimedWriter`].
#[derive(Debug)]
pub enum Writing {}

/// Reads a descriptor with an idle limit.
pub type TimedReader = Timed<Reading>;

/// Writes a descriptor with an idle limit.
pub type TimedWriter = Timed<Writing>;

impl<D> Timed<D> {
    /// Takes a pollable descriptor and makes it non-blocking.
    pub fn new(fd: OwnedFd, idle: Duration) -> io::Result<Self> {
        set_nonblocking(fd.as_fd())?;
        Ok(Self { fd, idle, direction: PhantomData })
    }

    /// Changes the idle limit.
    pub fn set_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// Whether the other side has closed its end.
    pub fn is_hung_up(&self) -> io::Result<bool> {
        // `poll` reports a closed peer even if no event is requested.
        let mut fds = [PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::empty())];
        wait(&mut fds, Some(Duration::ZERO))?;
        Ok(fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
    }

    /// Returns the descriptor, still non-blocking.
    pub fn into_inner(self) -> OwnedFd {
        self.fd
    }
}

impl Read for TimedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(self.fd.as_fd(), PollFlags::IN, self.idle, |fd| {
            Ok(rustix::io::read(fd, &mut *buffer)?)
        })
    }
}

impl Write for TimedWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        retry(self.fd.as_fd(), PollFlags::OUT, self.idle, |fd| Ok(rustix::io::write(fd, buffer)?))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<D> AsFd for Timed<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Tries before it polls: most calls can proceed immediately.
fn retry(
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    idle: Duration,
    mut attempt: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        match attempt(fd) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                if !wait(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(idle))? {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Polls until an event or the end of `limit`; false means the limit passed.
pub(crate) fn wait(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<bool> {
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(fds, left.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_reader_times_out_and_a_full_writer_too() {
        let (reader, writer) = io::pipe().unwrap();
        let idle = Duration::from_millis(30);
        let mut reader = TimedReader::new(reader.into(), idle).unwrap();
        let mut writer = TimedWriter::new(writer.into(), idle).unwrap();
        let silent = reader.read(&mut [0; 8]).unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::TimedOut);
        let full = writer.write_all(&vec![0; 4 << 20]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn either_side_sees_that_the_other_has_closed() {
        let idle = Duration::from_secs(5);
        let (reader, writer) = io::pipe().unwrap();
        let timed = TimedReader::new(reader.into(), idle).unwrap();
        assert!(!timed.is_hung_up().unwrap());
        (&writer).write_all(b"waiting to be read").unwrap();
        assert!(!timed.is_hung_up().unwrap());
        drop(writer);
        assert!(timed.is_hung_up().unwrap());

        let (reader, writer) = io::pipe().unwrap();
        let timed = TimedWriter::new(writer.into(), idle).unwrap();
        assert!(!timed.is_hung_up().unwrap());
        drop(reader);
        assert!(timed.is_hung_up().unwrap());
    }

    #[test]
    fn the_end_of_the_other_side_is_end_of_file() {
        let (reader, writer) = io::pipe().unwrap();
        let mut reader = TimedReader::new(reader.into(), Duration::from_secs(5)).unwrap();
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }
}
