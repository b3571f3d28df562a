//! Commands on this machine: the build, and hooks without roles.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::changed;
use super::command_failure::CommandFailure;
use super::event::{Event, Monitor};
use super::line_splitter::LineSplitter;
use super::version_managers;
use crate::command;
use crate::command::{Environment, Secrets, Shown, Value};

/// Runs shell lines on this machine.
pub(super) struct LocalCommand<'a> {
    /// The project's folder, where it runs.
    pub project: &'a Path,
    /// Variables in addition to those of this process.
    pub environment: &'a Environment,
    /// The file that lists what has changed, if that is known.
    pub changed: Option<&'a Path>,
    /// Secrets, redacted in all output.
    pub secrets: &'a Secrets,
    pub timeout: Duration,
    pub cancel: &'a Cancel,
    pub monitor: &'a dyn Monitor,
}

/// The two outputs of a command; each is split into lines separately.
#[derive(Clone, Copy)]
enum Stream {
    Output = 0,
    Error = 1,
}

/// Events while a command runs.
enum CommandEvent {
    Output(Stream, Vec<u8>),
    /// One of the two outputs has ended.
    Closed,
    Cancelled,
}

impl LocalCommand<'_> {
    /// Runs `line` to its end, and reports its output line by line.
    pub fn run(&self, line: &str) -> Result<(), CommandFailure> {
        let made = version_managers::find(self.project).command(line)?;
        let (started, command) = (Instant::now(), self.secrets.redact(&made.join(" ")));
        let (host, command) = (None, &command);
        self.monitor.event(&Event::Running { host, command });
        let ran = self.run_to_end(&made, started);
        self.monitor.event(&match ran {
            Ok(()) => Event::Ran { host, command, elapsed: started.elapsed() },
            Err(_) => Event::CommandFailed { host, command },
        });
        ran
    }

    fn run_to_end(&self, made: &[String], started: Instant) -> Result<(), CommandFailure> {
        let secrets = self.secrets;
        let mut child = self.spawn(made)?;
        let (sender, events) = channel();
        forward(child.stdout.take(), Stream::Output, &sender);
        forward(child.stderr.take(), Stream::Error, &sender);
        self.cancel.on_cancel(move || drop(sender.send(CommandEvent::Cancelled)));
        let mut lines = [LineSplitter::without(secrets), LineSplitter::without(secrets)];
        let mut last_line = Shown::default();
        let mut tell = |stream: Stream, line: Shown| {
            let is_error = matches!(stream, Stream::Error);
            self.monitor.event(&Event::Output { host: None, line: &line, is_error });
            if !line.as_ref().trim().is_empty() {
                last_line = line;
            }
        };
        let heard = read_output(&events, started + self.timeout, &mut lines, &mut tell);
        for (stream, lines) in [Stream::Output, Stream::Error].into_iter().zip(&mut lines) {
            lines.finish(&mut |line| tell(stream, line));
        }
        if let Err(end) = heard {
            stop(&mut child);
            return Err(match end {
                StopReason::Cancelled => CommandFailure::Cancelled,
                StopReason::Timeout => CommandFailure::Timeout(self.timeout),
            });
        }
        let status = child.wait().map_err(CommandFailure::Output)?;
        let signal = status.signal().map(|signal| secrets.redact(&signal.to_string()));
        CommandFailure::of_exit(status.code(), signal, last_line)
    }

    fn spawn(&self, argv: &[String]) -> Result<Child, CommandFailure> {
        let (program, args) = argv.split_first().ok_or(command::CommandError::Empty)?;
        let mut command = Command::new(program);
        command.args(args).current_dir(self.project).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in self.environment.iter() {
            command.env(name, expanded(value));
        }
        command.envs(self.changed.map(|file| (changed::VARIABLE, file)));
        // Its own process group, so that the processes it starts can be killed with it.
        command.process_group(0);
        let spawned = command.spawn();
        spawned.map_err(|source| CommandFailure::Spawn {
            program: self.secrets.redact(program),
            source,
        })
    }
}

fn expanded(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Expanding(text) => text.clone(),
        Value::UserRuntimeDir => {
            format!("/run/user/{}", rustix::process::getuid().as_raw())
        }
    }
}

enum StopReason {
    Cancelled,
    Timeout,
}

/// Reads what a command prints until both outputs are closed.
fn read_output(
    events: &Receiver<CommandEvent>,
    deadline: Instant,
    lines: &mut [LineSplitter<'_>; 2],
    tell: &mut impl FnMut(Stream, Shown),
) -> Result<(), StopReason> {
    let mut open = 2;
    while open > 0 {
        match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(CommandEvent::Output(stream, bytes)) => {
                lines[stream as usize].take(&bytes, &mut |line| tell(stream, line));
            }
            Ok(CommandEvent::Closed) => open -= 1,
            Ok(CommandEvent::Cancelled) => return Err(StopReason::Cancelled),
            Err(RecvTimeoutError::Timeout) => return Err(StopReason::Timeout),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
    Ok(())
}

/// Reads one output of a command, in a thread.
fn forward(
    output: Option<impl Read + Send + 'static>,
    stream: Stream,
    sender: &Sender<CommandEvent>,
) {
    let (output, sender) = (output, sender.clone());
    std::thread::spawn(move || {
        let mut piece = vec![0; 16 * 1024];
        if let Some(mut output) = output {
            while let Ok(count @ 1..) = output.read(&mut piece) {
                if sender.send(CommandEvent::Output(stream, piece[..count].to_vec())).is_err() {
                    return;
                }
            }
        }
        let _ = sender.send(CommandEvent::Closed);
    });
}

/// Kills a command and all processes of its group.
fn stop(child: &mut Child) {
    if let Ok(group) = i32::try_from(child.id())
        && let Some(group) = rustix::process::Pid::from_raw(group)
    {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}
