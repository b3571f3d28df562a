//! Channels to local child processes: local destinations, `ssh` and any `-e` program.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use assetsync_core::text;

use crate::channel::{Channel, CommandHandle, Exit, Running};
use crate::connect_phase::Phase;
use crate::ending::signal_name;
use crate::error::TransportError;
use crate::stderr_tail::StderrTail;

/// How long to wait for the rest of standard error after the end: a process left behind by the
/// command (a ControlMaster, say) may hold it open for ever.
const STDERR_GRACE: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct Process {
    host: String,
    child: Child,
    stderr: StderrTail,
    drain: Option<JoinHandle<()>>,
}

/// Starts a local program with its three standard streams piped; `host` names it in messages.
pub fn spawn(mut command: Command, host: &str) -> Result<Channel, TransportError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = text::path(Path::new(command.get_program()));
    let failed = |source| TransportError::Spawn { program: program.clone(), source };
    let mut child = command.spawn().map_err(failed)?;
    let (reader, writer) = streams(&mut child).map_err(failed)?;
    let stderr = StderrTail::default();
    let drain = child.stderr.take().map(|source| {
        let tail = stderr.clone();
        thread::spawn(move || tail.drain(source))
    });
    let process = Process { host: host.to_owned(), child, stderr, drain };
    Ok(Channel { reader, writer, end: CommandHandle(Box::new(process)) })
}

fn streams(child: &mut Child) -> io::Result<(OwnedFd, OwnedFd)> {
    let missing = || io::Error::other("the child has no pipes");
    let reader: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
    let writer: OwnedFd = child.stdin.take().ok_or_else(missing)?.into();
    widen(&reader);
    widen(&writer);
    Ok((reader, writer))
}

/// Enlarges the pipe: with 64 KiB, the processes switch every 64 KiB. Best effort.
pub(crate) fn widen(pipe: &impl AsFd) {
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 512 * 1024);
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

impl Process {
    fn wait_until(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn drain_stderr(&mut self) {
        let Some(drain) = self.drain.take() else { return };
        let deadline = Instant::now() + STDERR_GRACE;
        while !drain.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn exit(&mut self, status: ExitStatus) -> Exit {
        self.drain_stderr();
        let signal = status.signal().map(signal_name);
        Exit { status: status.code(), signal, stderr: self.stderr.text() }
    }
}

impl Running for Process {
    fn host(&self) -> &str {
        &self.host
    }

    fn stderr(&self) -> String {
        self.stderr.text()
    }

    fn kill(&mut self) {
        // Both fail only if the child has ended and was reaped, which is the goal.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn finish(&mut self, grace: Duration) -> Result<Exit, TransportError> {
        let ended = self.wait_until(Instant::now() + grace);
        match ended.map_err(|source| TransportError::Io { host: self.host.clone(), source })? {
            Some(status) => Ok(self.exit(status)),
            None => {
                self.kill();
                let host = self.host.clone();
                Err(TransportError::Timeout { host, phase: Phase::CommandHandle, after: grace })
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};

    fn shell(script: &str) -> Channel {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        spawn(command, "local").unwrap()
    }

    #[test]
    fn reports_output_status_and_stderr() {
        let Channel { reader, writer, end } = shell("cat; printf 'bad \\033[m' >&2; exit 7");
        File::from(writer).write_all(b"hello").unwrap();
        let mut said = String::new();
        File::from(reader).read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
        let exit = end.finish().unwrap();
        assert_eq!((exit.status, exit.stderr.as_str()), (Some(7), "bad \\u{1b}[m"));
    }

    #[test]
    fn a_command_that_floods_stderr_does_not_block() {
        let exit = shell("head -c 1000000 /dev/zero | tr '\\0' x >&2").finish().unwrap();
        assert_eq!(exit.status, Some(0));
        assert_eq!(exit.stderr.len(), 32 * 1024);
    }

    #[test]
    fn dropping_kills_and_reaps() {
        let mut channel = shell("echo started >&2; exec sleep 600");
        while channel.stderr_so_far().is_empty() {
            thread::sleep(Duration::from_millis(2));
        }
        let before = Instant::now();
        channel.kill();
        drop(channel);
        assert!(before.elapsed() < Duration::from_secs(300), "it waits for the command to end");
    }

    #[test]
    fn a_command_that_never_ends_is_killed_after_the_grace() {
        let Channel { end, .. } = shell("exec sleep 600");
        let error = end.finish_within(Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, TransportError::Timeout { .. }));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = spawn(Command::new("no-such-program"), "local").unwrap_err();
        assert!(error.to_string().starts_with("Cannot run no-such-program: "));
    }
}
