//! Runs commands on hosts: one line for the login shell, its output, and its exit status.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use assetsync_ssh::{
    Channel, CommandHandle, Connected, Exit, Prompt, RemoteTarget, SshOptions, TimedReader,
    TransportError, connect,
};

use super::cancel::Cancel;
use super::command_failure::CommandFailure;
use super::event::{Event, Monitor};
use super::line_splitter::LineSplitter;
use super::output_marks::{EndMarker, OutputMarks};
use crate::command;
use crate::command::{CommandMap, Invocation, Secrets, Shown};
use crate::config::Host;

/// How often a command that prints nothing is looked at, in case the rollout is cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// The limit of what a login shell may print before the command.
const NOISE: usize = 64 * 1024;

/// Runs commands on one host.
pub(super) struct RemoteCommand<'a> {
    /// The host's name in messages.
    pub name: &'a str,
    pub target: RemoteTarget,
    pub ssh: SshOptions,
    pub prompt: &'a dyn Prompt,
    /// Secrets in addition to the command's own.
    pub secrets: &'a Secrets,
    pub monitor: &'a dyn Monitor,
    /// Ends the command.
    pub cancel: &'a Cancel,
}

/// The version manager, bundler and environment of commands on a host.
pub(super) fn command_map(host: &Host) -> CommandMap {
    CommandMap::new(host.environment.clone())
        .with_manager(&host.manager)
        .with_bundler(&host.bundler)
}

impl RemoteCommand<'_> {
    /// Runs `invocation` to its end, and reports its output line by line.
    pub fn run(
        &self,
        map: &CommandMap,
        invocation: &Invocation,
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        if self.cancel.is_cancelled() {
            return Err(CommandFailure::Cancelled);
        }
        let line = command::line(map, invocation)?;
        let display_line = command::display_line(map, invocation, self.secrets);
        let secrets = Secrets::of(map, invocation).union(self.secrets);
        let (begun, host) = (Instant::now(), Some(self.name));
        self.monitor.event(&Event::Running { host, command: &display_line });
        let marks = OutputMarks::new()?;
        let line = marks.around(&line);
        let running = connect(&self.target, &self.ssh, self.prompt, &line, |connected| {
            Running::begin(connected, &marks, timeout, self.cancel)
        })?;
        let (mut lines, mut last_line) = (LineSplitter::without(&secrets), Shown::default());
        let exit = running.end(timeout, self.cancel, &mut lines, &mut |line| {
            self.monitor.event(&Event::Output { host, line: &line, is_error: false });
            if !line.as_ref().trim().is_empty() {
                last_line = line;
            }
        })?;
        CommandFailure::of_exit(
            exit.status,
            exit.signal.map(|name| secrets.redact_output(name.as_bytes())),
            last_line,
        )?;
        self.monitor.event(&Event::Ran { host, command: &display_line, elapsed: begun.elapsed() });
        Ok(())
    }
}

/// A command on a host.
struct Running {
    /// Output that was read while starting.
    printed: Vec<u8>,
    deadline: Instant,
    rest: Rest,
}

/// The output that is still to be read.
enum Rest {
    Output(TimedReader, EndMarker, CommandHandle),
    Nothing(Exit),
}

impl Running {
    /// Waits until the command runs or has failed to start.
    fn begin(
        connected: Connected,
        marks: &OutputMarks,
        timeout: Duration,
        cancel: &Cancel,
    ) -> Result<Running, TransportError> {
        let Channel { reader, writer, end } = connected.channel;
        drop(writer);
        let deadline = Instant::now() + timeout;
        let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
        let mut reader = TimedReader::new(reader, timeout).map_err(failed)?;
        let (mut printed, mut piece) = (Vec::new(), [0; 4096]);
        let begin = marks.begin();
        while printed.len() < NOISE {
            match read(&mut reader, &mut piece, deadline, cancel) {
                Ok(0) => return Running::missed(printed, deadline, end),
                Ok(count) => printed.extend_from_slice(&piece[..count]),
                // The next read returns the error again.
                Err(_) => break,
            }
            if let Some(at) = printed.windows(begin.len()).position(|bytes| bytes == begin) {
                printed.drain(at..at + begin.len());
                break;
            }
        }
        Ok(Running { printed, deadline, rest: Rest::Output(reader, marks.end(), end) })
    }

    /// The command did not run: the host was busy, or the login shell has ended.
    fn missed(
        printed: Vec<u8>,
        deadline: Instant,
        end: CommandHandle,
    ) -> Result<Running, TransportError> {
        let host = end.host().to_owned();
        let exit = finish(end, deadline)?;
        if exit.is_before_login() {
            return Err(TransportError::Busy { host, said: exit.stderr.trim().to_owned() });
        }
        Ok(Running { printed, deadline, rest: Rest::Nothing(exit) })
    }

    /// Reads the output line by line, and waits for the end.
    fn end(
        self,
        timeout: Duration,
        cancel: &Cancel,
        lines: &mut LineSplitter<'_>,
        tell: &mut impl FnMut(Shown),
    ) -> Result<Exit, CommandFailure> {
        let (mut reader, mut marker, mut end) = match self.rest {
            Rest::Output(reader, marker, end) => (reader, marker, end),
            Rest::Nothing(exit) => {
                lines.take(&self.printed, tell);
                lines.finish(tell);
                return Ok(exit);
            }
        };
        let mut piece = [0; 16 * 1024];
        let (mut output, mut status) = marker.take(&self.printed);
        let read = loop {
            lines.take(&output, tell);
            if status.is_some() {
                break Ok(());
            }
            match read(&mut reader, &mut piece, self.deadline, cancel) {
                Ok(0) => break Ok(()),
                Ok(count) => (output, status) = marker.take(&piece[..count]),
                Err(error) => break Err(error),
            }
        };
        lines.take(&marker.rest(), tell);
        lines.finish(tell);
        if let Err(error) = read {
            end.kill();
            return Err(match error.kind() {
                io::ErrorKind::TimedOut => CommandFailure::Timeout(timeout),
                io::ErrorKind::Interrupted => CommandFailure::Abandoned,
                _ => CommandFailure::Output(error),
            });
        }
        match status {
            Some(_) => {
                let stderr = end.stderr_so_far();
                end.kill();
                Ok(Exit { status, signal: None, stderr })
            }
            None => Ok(finish(end, self.deadline)?),
        }
    }
}

fn finish(end: CommandHandle, deadline: Instant) -> Result<Exit, TransportError> {
    let left = deadline.saturating_duration_since(Instant::now());
    end.finish_within(left.max(Duration::from_secs(1)))
}

/// Reads until the deadline, unless the rollout is cancelled before.
fn read(
    reader: &mut TimedReader,
    piece: &mut [u8],
    deadline: Instant,
    cancel: &Cancel,
) -> io::Result<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if cancel.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        reader.set_idle(left.min(CANCEL_INTERVAL));
        match reader.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            read => return read,
        }
    }
}
