//! The start of the SSH protocol, where libssh2 would read without limits: lines of the host before
//! its SSH banner.

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvFlags, recv};

use crate::timeout_io::wait;

/// Most bytes of lines before the banner.
const LIMIT: usize = 64 * 1024;
/// How often a host is looked at that has sent less than a banner's first word.
const PAUSE: Duration = Duration::from_millis(20);
/// How a banner begins.
const SSH: &[u8] = b"SSH-";

/// Why no banner came.
#[derive(Debug)]
pub(crate) enum NoBanner {
    /// The host closed the connection; what it sent before.
    Closed(Vec<u8>),
    /// It sent too much; the end of that.
    TooLong(Vec<u8>),
    /// The deadline passed.
    TimedOut,
    /// The connection failed.
    Io(io::Error),
}

impl From<io::Error> for NoBanner {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Closed(Vec::new()),
            ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}

/// The socket that libssh2 gets. At first it is one end of a pair, whose other end takes libssh2's
/// own banner; then the connection takes its place.
#[derive(Clone, Debug)]
pub(crate) struct Socket(Arc<Mutex<OwnedFd>>);

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_raw_fd()
    }
}

impl Socket {
    /// A socket, and the end that has what libssh2 writes to it.
    pub(crate) fn pair() -> io::Result<(Socket, UnixStream)> {
        let (ours, other) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok((Socket(Arc::new(Mutex::new(ours.into()))), other))
    }

    /// Puts the connection in place of the pair.
    pub(crate) fn become_connection(&self, tcp: &TcpStream) -> io::Result<()> {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(target_os = "linux")]
        rustix::io::dup3(tcp, &mut socket, rustix::io::DupFlags::CLOEXEC)?;
        #[cfg(not(target_os = "linux"))]
        {
            rustix::io::dup2(tcp, &mut socket)?;
            rustix::io::fcntl_setfd(&*socket, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok(())
    }
}

/// Sends libssh2's banner, which it wrote to `written`.
pub(crate) fn forward(written: &UnixStream, mut tcp: &TcpStream) -> io::Result<()> {
    let mut banner = [0; 256];
    let (count, _) = recv(written, &mut banner, RecvFlags::empty())?;
    let sent = tcp.write(&banner[..count])?;
    // The first bytes of a connection always fit.
    if sent == count { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

/// Reads the lines before the host's banner, which stays in the non-blocking socket. Returns at the
/// deadline at the latest.
pub(crate) fn skip_lines(tcp: &TcpStream, deadline: Instant) -> Result<(), NoBanner> {
    let (mut skipped, mut buffer) = (Vec::new(), [0; 8192]);
    let mut total = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::from_borrowed_fd(tcp.as_fd(), PollFlags::IN)];
        if left.is_zero() || !wait(&mut fds, Some(left))? {
            return Err(NoBanner::TimedOut);
        }
        let there = match recv(tcp, &mut buffer, RecvFlags::PEEK) {
            Ok((0, _)) => return Err(NoBanner::Closed(skipped)),
            Ok((count, _)) => &buffer[..count],
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(io::Error::from(error).into()),
        };
        let is_start = matches!(skipped.last(), None | Some(b'\n'));
        if is_start && there.starts_with(SSH) {
            return Ok(());
        }
        if is_start && SSH.starts_with(there) {
            std::thread::sleep(PAUSE.min(left));
            continue;
        }
        let line = there.iter().position(|&byte| byte == b'\n').map_or(there.len(), |at| at + 1);
        let (count, _) =
            recv(tcp, &mut buffer[..line], RecvFlags::empty()).map_err(io::Error::from)?;
        total += count;
        skipped.extend_from_slice(&buffer[..count]);
        let excess = skipped.len().saturating_sub(1024);
        skipped.drain(..excess);
        if total > LIMIT {
            return Err(NoBanner::TooLong(skipped));
        }
    }
}
