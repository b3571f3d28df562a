//! The error of a command: its message, its exit code and its hints.

use std::borrow::Cow;
use std::process::ExitCode;

use assetsync_core::protocol::FailureCode;
use assetsync_ssh::TransportError;
use assetsync_sync::{PushError, Refusal, SourceError, StoreError};

/// The exit code of a command; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Failed at every destination.
    Failed = 1,
    /// Bad usage or configuration: fails again until that is changed.
    Usage = 2,
    /// Failed at some destinations, succeeded at others.
    SomeFailed = 3,
    /// Stopped by Ctrl-C. The process ends by the signal that stopped it, as shells expect; this is
    /// what they make of that.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The exit code for several destinations.
    pub fn of_all(exits: &[Exit]) -> Exit {
        let failed: Vec<Exit> = exits.iter().copied().filter(|exit| *exit != Exit::Done).collect();
        match failed.first() {
            None => Exit::Done,
            Some(_) if failed.len() < exits.len() => Exit::SomeFailed,
            Some(first) if failed.iter().all(|exit| exit == first) => *first,
            Some(_) => Exit::Failed,
        }
    }
}

/// Why a command failed, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// The error, with its causes.
    pub message: String,
    /// Hints: one sentence each.
    pub hints: Vec<Cow<'static, str>>,
}

impl CommandError {
    /// An error in the command line or in the user's files.
    pub fn usage(message: impl ToString) -> CommandError {
        CommandError { exit: Exit::Usage, message: message.to_string(), hints: Vec::new() }
    }

    /// Any other failure.
    pub fn failed(message: impl ToString) -> CommandError {
        CommandError { exit: Exit::Failed, message: message.to_string(), hints: Vec::new() }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> CommandError {
        self.hints.push(hint.into());
        self
    }
}

impl From<&PushError> for CommandError {
    fn from(error: &PushError) -> CommandError {
        CommandError {
            exit: exit_of(error),
            message: chain(error),
            hints: hint_of(error).into_iter().collect(),
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> CommandError {
        let exit = match error {
            StoreError::NotAStore(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        let hints = match error {
            StoreError::Busy(_) => Vec::new(),
            _ => vec!["--store DIR uses another directory".into()],
        };
        CommandError { exit, message: chain(&error), hints }
    }
}

/// The only place that decides which errors are bad usage or configuration.
///
/// A command of `-e` that does not exist is a failure (1): the command line is correct on a machine
/// where it is installed.
fn exit_of(error: &PushError) -> Exit {
    match error {
        PushError::EmptySource(_) | PushError::Placement(_) => Exit::Usage,
        PushError::Source(error) if matches!(**error, SourceError::Root { .. }) => Exit::Usage,
        PushError::Transport(
            TransportError::Target { .. }
            | TransportError::RemoteShell { .. }
            | TransportError::Options(_)
            | TransportError::SshConfig { .. },
        ) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn hint_of(error: &PushError) -> Option<Cow<'static, str>> {
    match error {
        PushError::Refused(Refusal::Foreign(foreign)) => Some(Cow::from(format!(
            "-n lists everything that would be deleted; to allow it: --max-delete {}",
            foreign.planned
        ))),
        PushError::Refused(Refusal::Most { deletes, .. }) => Some(Cow::from(format!(
            "-n lists everything that would be deleted; to allow it: --max-delete {deletes}"
        ))),
        other => fixed_hint(other).map(Cow::from),
    }
}

fn fixed_hint(error: &PushError) -> Option<&'static str> {
    match error {
        PushError::Source(error) if matches!(**error, SourceError::Unreadable(_)) => {
            Some("--exclude PATTERN skips files that need not be pushed")
        }
        PushError::EmptySource(_) => Some("check the build; to delete everything: --allow-empty"),
        PushError::Refused(Refusal::TooMany { .. }) => {
            Some("-n lists what would be deleted; to allow it, raise --max-delete")
        }
        PushError::NoRoom { .. } => {
            Some("a push needs space for old and new files at once: old files are deleted last")
        }
        PushError::Obstruction(_) => Some("--delete removes it"),
        PushError::Timeout(_) => Some("--timeout SECONDS waits longer"),
        PushError::Agent(failure) => agent_hint(failure.code),
        PushError::Transport(error) => transport_hint(error),
        PushError::NoSftp(_) | PushError::NoAgentNorSftp { .. } => Some(
            "the user needs a login shell there, or the server an SFTP subsystem (user@host:path names another user)",
        ),
        _ => None,
    }
}

fn agent_hint(code: FailureCode) -> Option<&'static str> {
    match code {
        FailureCode::Locked => Some("wait until the other push has ended, then push again"),
        FailureCode::NotADirectory => Some("DEST and all directories above it must be directories"),
        FailureCode::Permission => {
            Some("the user that logs in needs write permission for the destination directory")
        }
        FailureCode::NoSpace => {
            Some("the served files are unchanged; free some space, then push again")
        }
        FailureCode::Obstruction => {
            Some("DEST must be a directory, and no other program may write to it during a push")
        }
        FailureCode::Protected => Some(
            "DEST is the directory that becomes equal to SRC, such as \
             web1:/var/www/shop/public/assets; without --delete nothing is deleted",
        ),
        _ => None,
    }
}

fn transport_hint(error: &TransportError) -> Option<&'static str> {
    match error {
        TransportError::Auth { .. } => {
            Some("-i FILE chooses a key; -v shows how the connection is made")
        }
        TransportError::Resolve { .. } | TransportError::Connect { .. } => {
            Some("-p sets the port, -F the ssh configuration file")
        }
        TransportError::Timeout { .. } => Some("--timeout SECONDS waits longer"),
        TransportError::NoAgentFor { .. } | TransportError::Noexec { .. } => {
            Some("--transport sftp needs no program on the host")
        }
        _ => None,
    }
}

/// An error and its causes in one line. Causes that the text already contains are not repeated.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_several_destinations() {
        use Exit::{Done, Failed, SomeFailed, Usage};
        let rows: [(&[Exit], Exit); 7] = [
            (&[Done], Done),
            (&[Failed], Failed),
            (&[Usage], Usage),
            (&[Done, Done], Done),
            (&[Done, Usage], SomeFailed),
            (&[Failed, Usage], Failed),
            (&[Usage, Usage], Usage),
        ];
        for (exits, expected) in rows {
            assert_eq!(Exit::of_all(exits), expected, "{exits:?}");
        }
    }

    #[test]
    fn causes_are_not_repeated() {
        let source = std::io::Error::other("no such luck");
        let error = TransportError::Spawn { program: "sssh".into(), source };
        let text = CommandError::from(&PushError::Transport(error)).message;
        assert_eq!(text.matches("no such luck").count(), 1, "{text}");
    }
}
