//! Commands on hosts: one line for the login shell, its output as it comes, and its end.

use std::io::Read;
use std::time::{Duration, Instant};

use assetsync_core::text;
use assetsync_sync::transport::{
    Prompt, RemoteTarget, SshOptions, TimedReader, TransportError, connect,
};

use super::event::{Event, Monitor};
use super::lines::Lines;
use crate::command::{self, CommandMap, Invocation, Secrets};
use crate::config::Host;

/// Where a command runs, and who hears of it.
pub(super) struct Shell<'a> {
    /// What messages call the host.
    pub name: &'a str,
    pub target: RemoteTarget,
    pub ssh: SshOptions,
    pub prompt: &'a dyn Prompt,
    pub monitor: &'a dyn Monitor,
}

/// Why a command is taken to have failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandFailure {
    /// It can't be composed.
    #[error(transparent)]
    Composing(#[from] command::CommandError),
    /// The host can't be reached, or the connection was lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It could not be started here.
    #[error("Can't run {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its output can't be read.
    #[error("Can't read what it prints: {0}")]
    Output(#[source] std::io::Error),
    /// It ended badly.
    #[error("it ended with exit status {status}{}", said(.last_line))]
    Status {
        /// Its exit status.
        status: i32,
        /// The last line it printed, without secrets.
        last_line: String,
    },
    /// A signal ended it.
    #[error("signal {signal} ended it{}", said(.last_line))]
    Signal {
        /// The signal's name or number.
        signal: String,
        /// The last line it printed, without secrets.
        last_line: String,
    },
    /// It took too long and was ended.
    #[error("it did not end within {} s and was given up", .0.as_secs())]
    Timeout(Duration),
    /// The rollout was cancelled.
    #[error("it was cancelled")]
    Cancelled,
}

fn said(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

/// What commands on a host run through.
pub(super) fn command_map(host: &Host) -> CommandMap {
    CommandMap::new(host.environment.clone())
        .with_manager(&host.manager)
        .with_bundler(&host.bundler)
}

impl Shell<'_> {
    /// Runs `invocation` to its end; what it prints is told line by line.
    pub fn run(
        &self,
        map: &CommandMap,
        invocation: &Invocation,
        timeout: Duration,
    ) -> Result<(), CommandFailure> {
        let line = command::line(map, invocation)?;
        let (shown, secrets) = (command::shown(map, invocation), Secrets::of(map, invocation));
        let (started, host) = (Instant::now(), Some(self.name));
        self.monitor.event(&Event::Running { host, command: &shown });
        // Both outputs in the order in which they were written.
        let line = format!("exec 2>&1; {line}");
        let connected = connect(&self.target, &self.ssh, self.prompt, &line)?;
        let mut channel = connected.channel;
        drop(channel.writer);
        let mut lines = Lines::default();
        let mut tell = |line: &[u8]| {
            let line = secrets.hide(&text::line(line));
            self.monitor.event(&Event::Output { host, line: &line });
        };
        let reader = TimedReader::new(channel.reader, timeout).map_err(CommandFailure::Output)?;
        let read = read_until(reader, started + timeout, &mut lines, &mut tell);
        lines.end(&mut tell);
        if let Err(error) = read {
            channel.end.kill();
            return Err(match error.kind() {
                std::io::ErrorKind::TimedOut => CommandFailure::Timeout(timeout),
                _ => CommandFailure::Output(error),
            });
        }
        let left = (started + timeout).saturating_duration_since(Instant::now());
        let exit = channel.end.finish_within(left.max(Duration::from_secs(1)))?;
        let last_line = secrets.hide(&text::line(lines.last()));
        match (exit.status, exit.signal) {
            (Some(0), _) => {
                let elapsed = started.elapsed();
                self.monitor.event(&Event::Ran { host, command: &shown, elapsed });
                Ok(())
            }
            (Some(status), _) => Err(CommandFailure::Status { status, last_line }),
            (None, signal) => {
                let signal = signal.unwrap_or_else(|| "unknown".into());
                Err(CommandFailure::Signal { signal, last_line })
            }
        }
    }
}

fn read_until(
    mut reader: TimedReader,
    deadline: Instant,
    lines: &mut Lines,
    tell: &mut impl FnMut(&[u8]),
) -> std::io::Result<()> {
    let mut piece = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        reader.set_idle(left);
        match reader.read(&mut piece)? {
            0 => return Ok(()),
            count => lines.take(&piece[..count], tell),
        }
    }
}
