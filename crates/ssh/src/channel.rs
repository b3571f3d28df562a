//! A duplex byte stream to a started command, and how that command ended.

use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::ending::{SILENT_SSH, SSH_FAILED, ending};
use crate::error::TransportError;

/// How long [`Channel::finish`] waits for a command to end after its input is closed.
const FINISH_GRACE: Duration = Duration::from_secs(15);

/// A running command: its standard output, its standard input, and its handle.
///
/// The three parts are public so that a caller can move the descriptors into readers and writers
/// of its own; dropping `end` ends the command at once.
#[derive(Debug)]
pub struct Channel {
    /// The command's standard output, pollable.
    pub reader: OwnedFd,
    /// The command's standard input, pollable; closing it is end of file for the command.
    pub writer: OwnedFd,
    /// The command itself.
    pub end: CommandHandle,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit status; none if a signal ended it or the host did not report it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<String>,
    /// The last 32 KiB of standard error, control characters escaped.
    pub stderr: String,
}

/// Handle of a running command; dropping it kills the command and leaves no zombie.
#[derive(Debug)]
pub struct CommandHandle(pub(crate) Box<dyn Running>);

/// A running command behind an [`CommandHandle`]. Dropping it kills and reaps.
pub(crate) trait Running: std::fmt::Debug + Send {
    fn host(&self) -> &str;
    fn stderr(&self) -> String;
    fn kill(&mut self);
    fn finish(&mut self, grace: Duration) -> Result<Exit, TransportError>;
}

impl Exit {
    /// Why it ended, with its standard error; empty if nothing is wrong.
    pub fn reason(&self) -> String {
        let said = self.stderr.trim();
        match (self.status, &self.signal) {
            (None | Some(0), None) => said.to_owned(),
            (Some(SSH_FAILED), None) if said.is_empty() => SILENT_SSH.to_owned(),
            (Some(SSH_FAILED), None) => said.to_owned(),
            (status, signal) => {
                let ending = ending(status, signal.as_deref());
                if said.is_empty() { ending } else { format!("{ending}: {said}") }
            }
        }
    }

    /// Whether this is the `ssh` program, and the host closed the connection before it sent its SSH
    /// banner.
    ///
    /// Only the text of its first message shows that. (If a bastion refuses the key, that is
    /// reported first, and then the missing connection through it.)
    pub fn is_before_login(&self) -> bool {
        let mut said = self.stderr.lines().map(str::trim);
        let first = said.find(|line| !line.is_empty() && !line.starts_with("Warning: "));
        let words = ["kex_exchange_identification: ", "ssh_exchange_identification: "];
        self.status == Some(SSH_FAILED)
            && first.is_some_and(|line| words.iter().any(|word| line.starts_with(word)))
    }

    /// Whether the host closed the channel without running anything.
    ///
    /// Over libssh2 it then sent no exit status. The `ssh` program exits with 255 and names every
    /// failure of its own, which is another, on standard error; the refused request it names there,
    /// too, in words of its own.
    pub fn is_request_refused(&self) -> bool {
        let said = self.stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
        match self.status {
            Some(SSH_FAILED) => said.is_none_or(|line| line.starts_with("exec request failed")),
            Some(_) => false,
            None => self.signal.is_none(),
        }
    }
}

impl Channel {
    /// Closes both directions and waits for the command to end.
    pub fn finish(self) -> Result<Exit, TransportError> {
        let Self { reader, writer, end } = self;
        drop((reader, writer));
        end.finish()
    }

    /// Kills the command.
    pub fn kill(&mut self) {
        self.end.kill();
    }

    /// The command's standard error until now, control characters escaped.
    pub fn stderr_so_far(&self) -> String {
        self.end.stderr_so_far()
    }
}

impl CommandHandle {
    /// Waits for the command to end, which it does only once the caller has closed the writer (and
    /// drained or closed the reader); after a grace of 15 seconds it is killed.
    pub fn finish(self) -> Result<Exit, TransportError> {
        self.finish_within(FINISH_GRACE)
    }

    /// As [`CommandHandle::finish`], but kills the command after this grace.
    pub fn finish_within(mut self, grace: Duration) -> Result<Exit, TransportError> {
        self.0.finish(grace)
    }

    /// Waits for a command that has closed its output, and returns why it ended; empty if that is
    /// not known.
    pub fn reason_within(&mut self, grace: Duration) -> String {
        match self.0.finish(grace) {
            Ok(exit) => exit.reason(),
            Err(TransportError::Closed { stderr, .. }) => stderr,
            Err(_) => self.stderr_so_far(),
        }
    }

    /// Kills the command.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// The command's standard error until now, control characters escaped.
    pub fn stderr_so_far(&self) -> String {
        self.0.stderr()
    }

    /// The host the command runs on, for messages.
    pub fn host(&self) -> &str {
        self.0.host()
    }
}
