//! One thread that moves bytes between a non-blocking libssh2 session and two local pipes.
//!
//! libssh2 locks the session during every call, so a blocking read would block writers for ever;
//! hence one thread, no blocking call, and `poll` when nothing can be moved. Two rules of libssh2
//! shape the code: after `EAGAIN` a write must be repeated with the same buffer, so pending bytes
//! stay in place until they are written; and the directions to poll are only those of the last
//! calls, so a direction is polled only if a call of this round returned `EAGAIN`. Also, any call
//! may take from the socket what an earlier call of the round waited for (the read of stderr takes
//! stdout's bytes, a read takes the window that a write waits for), and then the socket has no more
//! events; so the pump waits only after two rounds that received nothing new.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::channel::Exit;
use crate::in_flight::InFlight;
use crate::ssh2_session::{EAGAIN, directions};
use crate::stderr_tail::StderrTail;
use crate::timeout_io::wait;

/// Larger than any pipe, so that one read empties it.
const BUFFER: usize = 512 * 1024;
/// How long sending the disconnect message may take.
const DISCONNECT_MS: u32 = 500;

/// libssh2's code for a refused request.
const REQUEST_DENIED: ErrorCode = ErrorCode::Session(-22);

/// How long to poll at most: another call may have taken the answer to a request from the socket,
/// and nothing would wake the poll.
const TICK: Duration = Duration::from_millis(250);

/// The request on a new channel.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Command(String),
    Sftp,
}

pub(crate) struct Pump {
    pub(crate) session: Session,
    pub(crate) channel: ssh2::Channel,
    pub(crate) tcp: TcpStream,
    pub(crate) request: Request,
    /// The caller's end of the command's input; none after end of file was passed on.
    pub(crate) input: Option<PipeReader>,
    /// The command's output for the caller; none once the host or the caller has closed.
    pub(crate) output: Option<PipeWriter>,
    /// Readable or closed: stop immediately.
    pub(crate) stop: PipeReader,
    pub(crate) stderr: StderrTail,
    pub(crate) in_flight: InFlight,
    pub(crate) state: State,
}

/// Why a pump ended before the command did.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// The host refused the request.
    Refused,
    /// The connection failed, or the caller stopped it.
    Io(io::Error),
}

impl From<io::Error> for PumpError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// State of the channel.
#[derive(Default)]
pub(crate) struct State {
    started: bool,
    /// The request is on its way, so that data may follow it as far as the host's window lets it:
    /// OpenSSH opens the window only with its answer, other servers at once.
    requested: bool,
    input_ended: bool,
    eof_sent: bool,
    remote_eof: bool,
    to_remote: Pending,
    /// How much of that a write was given that must be repeated; 0 if none must.
    to_repeat: usize,
    to_local: Pending,
    /// A call of this round returned `EAGAIN`.
    got_eagain: bool,
}

/// Bytes in flight, kept in place until all are written.
struct Pending {
    bytes: Box<[u8]>,
    from: usize,
    to: usize,
}

impl Default for Pending {
    fn default() -> Self {
        Self { bytes: vec![0; BUFFER].into_boxed_slice(), from: 0, to: 0 }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }

    fn filled(&mut self, count: usize) {
        (self.from, self.to) = (0, count);
    }

    fn discard(&mut self) {
        self.from = self.to;
    }
}

impl Pump {
    /// Runs until the command ends, the connection ends, or the caller stops it.
    ///
    /// The result is sent before the disconnect message in `drop`, which may take a while.
    pub(crate) fn run(mut self, result: &Sender<Result<Exit, PumpError>>) {
        let ended = self.converse();
        // If nobody receives, the caller has killed this command.
        let _ = result.send(ended);
        self.output = None;
        self.input = None;
    }

    fn converse(&mut self) -> Result<Exit, PumpError> {
        let mut before = None;
        loop {
            let moved = self.round()?;
            if self.is_over()? {
                return Ok(self.exit());
            }
            let now = (!moved).then(|| self.heard());
            if !moved && now == before {
                self.wait()?;
            }
            before = now;
        }
    }

    /// Moves as many bytes as possible, in every direction.
    fn round(&mut self) -> Result<bool, PumpError> {
        self.state.got_eagain = false;
        let mut moved = self.start()?;
        moved |= self.take_input()?;
        moved |= self.send()?;
        moved |= self.receive()?;
        moved |= self.receive_stderr()?;
        moved |= self.give_output()?;
        Ok(moved)
    }

    /// libssh2's counters of the data received so far: bytes queued, room to send, end of file.
    fn heard(&self) -> (u32, u32, bool) {
        let queued = self.channel.read_window().available;
        (queued, self.channel.write_window().remaining, self.channel.eof())
    }

    /// Sends the request and, on later calls, awaits its answer. A host that closes the channel
    /// instead refuses, too.
    fn start(&mut self) -> Result<bool, PumpError> {
        if self.state.started {
            return Ok(false);
        }
        let asked = match &self.request {
            Request::Command(line) => self.channel.exec(line),
            Request::Sftp => self.channel.subsystem("sftp"),
        };
        if asked.as_ref().is_err_and(|error| error.code() == REQUEST_DENIED) {
            return Err(PumpError::Refused);
        }
        let answered = self.ready(asked)?;
        if answered.is_none() && self.channel.eof() {
            return Err(PumpError::Refused);
        }
        self.state.started = answered.is_some();
        let unsent = matches!(
            self.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        );
        self.state.requested |= self.state.started || !unsent;
        Ok(self.state.started)
    }

    fn take_input(&mut self) -> io::Result<bool> {
        if !self.state.requested || !self.state.to_remote.is_empty() {
            return Ok(false);
        }
        let Some(input) = &mut self.input else { return Ok(false) };
        match unless_blocked(input.read(&mut self.state.to_remote.bytes))? {
            None => Ok(false),
            Some(0) => {
                self.input = None;
                self.state.input_ended = true;
                Ok(true)
            }
            Some(count) => {
                self.state.to_remote.filled(count);
                Ok(true)
            }
        }
    }

    fn send(&mut self) -> io::Result<bool> {
        let mut moved = false;
        while !self.state.to_remote.is_empty() {
            if self.state.to_repeat == 0 {
                let room = self.in_flight.room(self.channel.write_window().remaining);
                self.state.to_repeat = self.state.to_remote.rest().len().min(room);
            }
            if self.state.to_repeat == 0 {
                // The host's next message may make room.
                self.state.got_eagain = true;
                return Ok(moved);
            }
            let offered = &self.state.to_remote.rest()[..self.state.to_repeat];
            let written = self.channel.write(offered);
            match self.unless_eagain(written) {
                Ok(None | Some(0)) => return Ok(moved),
                Ok(Some(count)) => self.sent(count),
                // The command no longer reads, but its output may still be in flight.
                Err(_) if self.state.remote_eof || self.channel.eof() => self.refuse_input(),
                Err(error) => return Err(error),
            }
            moved = true;
        }
        Ok(moved | self.send_eof()?)
    }

    fn sent(&mut self, count: usize) {
        self.state.to_remote.from += count;
        self.state.to_repeat = 0;
    }

    fn refuse_input(&mut self) {
        self.state.to_remote.discard();
        self.input = None;
    }

    fn send_eof(&mut self) -> io::Result<bool> {
        if !self.state.input_ended || self.state.eof_sent || !self.state.started {
            return Ok(false);
        }
        let sent = self.channel.send_eof();
        self.state.eof_sent = self.ready(sent)?.is_some();
        Ok(self.state.eof_sent)
    }

    fn receive(&mut self) -> io::Result<bool> {
        if !self.state.started || self.state.remote_eof || !self.state.to_local.is_empty() {
            return Ok(false);
        }
        let mut count = 0;
        while count < BUFFER {
            let read = self.channel.read(&mut self.state.to_local.bytes[count..]);
            match self.unless_eagain(read)? {
                None | Some(0) => break,
                Some(more) => count += more,
            }
        }
        self.state.to_local.filled(count);
        if self.output.is_none() {
            self.state.to_local.discard();
        }
        Ok(count > 0)
    }

    fn receive_stderr(&mut self) -> io::Result<bool> {
        if !self.state.started || self.state.remote_eof {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        let read = self.channel.stderr().read(&mut buffer);
        let count = self.unless_eagain(read)?.unwrap_or(0);
        self.stderr.push(&buffer[..count]);
        Ok(count > 0)
    }

    fn give_output(&mut self) -> io::Result<bool> {
        let mut moved = false;
        while !self.state.to_local.is_empty() {
            let Some(output) = &mut self.output else { break };
            match unless_blocked(output.write(self.state.to_local.rest())) {
                Ok(None) => return Ok(moved),
                Ok(Some(count)) => self.state.to_local.from += count,
                // The caller no longer reads; the command may still run to its end.
                Err(_) => {
                    self.output = None;
                    self.state.to_local.discard();
                }
            }
            moved = true;
        }
        Ok(moved)
    }

    /// Records the end of the output, and returns whether the host has closed the channel.
    ///
    /// Closing from this side first would lose the exit status, which follows the end of file.
    fn is_over(&mut self) -> io::Result<bool> {
        if !self.state.started || !self.state.to_local.is_empty() || !self.channel.eof() {
            return Ok(false);
        }
        self.state.remote_eof = true;
        self.output = None;
        let closed = self.channel.wait_close();
        Ok(self.ready(closed)?.is_some())
    }

    fn exit(&mut self) -> Exit {
        let signal = self.channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
        let status = match &signal {
            Some(_) => None,
            None => self.channel.exit_status().ok(),
        };
        Exit { status, signal, stderr: self.stderr.text() }
    }

    fn wait(&mut self) -> io::Result<()> {
        let stop_index = 0;
        let mut fds = vec![PollFd::new(&self.stop, PollFlags::IN)];
        // A socket polled without events would still report its end, again and again.
        let directions = self.directions();
        if !directions.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.tcp.as_fd(), directions));
        }
        match &self.input {
            Some(input) if self.state.requested && self.state.to_remote.is_empty() => {
                fds.push(PollFd::new(input, PollFlags::IN));
            }
            _ => {}
        }
        match &self.output {
            Some(output) if !self.state.to_local.is_empty() => {
                fds.push(PollFd::new(output, PollFlags::OUT));
            }
            _ => {}
        }
        wait(&mut fds, Some(TICK))?;
        match fds[stop_index].revents().is_empty() {
            true => Ok(()),
            false => Err(ErrorKind::Interrupted.into()),
        }
    }

    fn directions(&self) -> PollFlags {
        if !self.state.got_eagain {
            return PollFlags::empty();
        }
        directions(&self.session)
    }

    fn ready<T>(&mut self, result: Result<T, ssh2::Error>) -> io::Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code() == EAGAIN => {
                self.state.got_eagain = true;
                Ok(None)
            }
            Err(error) => Err(io::Error::other(error.message().to_owned())),
        }
    }

    fn unless_eagain(&mut self, result: io::Result<usize>) -> io::Result<Option<usize>> {
        let result = unless_blocked(result);
        self.state.got_eagain |= matches!(result, Ok(None));
        result
    }
}

impl Drop for Pump {
    /// Freeing a session sends a disconnect message; it must neither block for long nor leak.
    fn drop(&mut self) {
        if !self.state.remote_eof {
            let _ = self.tcp.shutdown(Shutdown::Both);
        }
        self.session.set_timeout(DISCONNECT_MS);
        self.session.set_blocking(true);
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
