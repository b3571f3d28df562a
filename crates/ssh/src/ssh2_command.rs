//! Channels to commands over an in-process SSH session.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::channel::{Channel, CommandHandle, Exit, Running};
use crate::child_process::widen;
use crate::connect_phase::Phase;
use crate::error::TransportError;
use crate::in_flight::InFlight;
use crate::ssh2_io::{Pump, PumpError, Request, State};
use crate::ssh2_session::{LoggedIn, ResponseTimes};
use crate::stderr_tail::StderrTail;
use crate::timeout_io::set_nonblocking;

#[derive(Debug)]
struct RemoteCommand {
    host: String,
    stderr: StderrTail,
    tcp: TcpStream,
    /// Closing it stops the pump.
    stop: Option<io::PipeWriter>,
    result: Receiver<Result<Exit, PumpError>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a request on a logged-in session, which then belongs to one pump thread; also returns the
/// response times.
pub(crate) fn start(
    logged_in: LoggedIn,
    host: &str,
    request: Request,
) -> Result<(Channel, ResponseTimes), TransportError> {
    let (channel, response_times) = logged_in.open_channel(host)?;
    let LoggedIn { session, tcp, .. } = logged_in;
    let failed = |source| TransportError::Io { host: host.to_owned(), source };
    let (output_reader, output) = pipe(false, true).map_err(failed)?;
    let (input, input_writer) = pipe(true, false).map_err(failed)?;
    let (stop_reader, stop) = io::pipe().map_err(failed)?;
    let stderr = StderrTail::default();
    let in_flight = InFlight::to_host(session.banner(), response_times.ssh);
    let pump = Pump {
        session,
        channel,
        tcp: tcp.try_clone().map_err(failed)?,
        request,
        input: Some(input),
        output: Some(output),
        stop: stop_reader,
        stderr: stderr.clone(),
        in_flight,
        state: State::default(),
    };
    let (sender, result) = mpsc::channel();
    let run = move || pump.run(&sender);
    let thread = thread::Builder::new().name("ssh pump".into()).spawn(run).map_err(failed)?;
    let host = host.to_owned();
    let command =
        RemoteCommand { host, stderr, tcp, stop: Some(stop), result, thread: Some(thread) };
    let (reader, writer) = (OwnedFd::from(output_reader), OwnedFd::from(input_writer));
    Ok((Channel { reader, writer, end: CommandHandle(Box::new(command)) }, response_times))
}

fn pipe(reader_async: bool, writer_async: bool) -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    widen(&writer);
    if reader_async {
        set_nonblocking(reader.as_fd())?;
    }
    if writer_async {
        set_nonblocking(writer.as_fd())?;
    }
    Ok((reader, writer))
}

impl RemoteCommand {
    fn closed(&self, cause: &io::Error) -> TransportError {
        let said = self.stderr.text();
        let stderr = match said.trim() {
            "" => cause.to_string(),
            said => format!("{said} ({cause})"),
        };
        TransportError::Closed { host: self.host.clone(), exit: None, signal: None, stderr }
    }
}

impl Running for RemoteCommand {
    fn host(&self) -> &str {
        &self.host
    }

    fn stderr(&self) -> String {
        self.stderr.text()
    }

    fn kill(&mut self) {
        self.stop = None;
        let _ = self.tcp.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn finish(&mut self, grace: Duration) -> Result<Exit, TransportError> {
        match self.result.recv_timeout(grace) {
            Ok(Ok(exit)) => Ok(exit),
            Ok(Err(PumpError::Io(cause))) => Err(self.closed(&cause)),
            Ok(Err(PumpError::Refused)) => Err(TransportError::RequestRefused {
                host: self.host.clone(),
                said: self.stderr.text().trim().to_owned(),
            }),
            Err(RecvTimeoutError::Disconnected) => {
                Err(self.closed(&io::Error::other("the pump ended early")))
            }
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let host = self.host.clone();
                Err(TransportError::Timeout { host, phase: Phase::CommandHandle, after: grace })
            }
        }
    }
}

impl Drop for RemoteCommand {
    fn drop(&mut self) {
        self.kill();
    }
}
