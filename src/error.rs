//! What ends a command, which exit code that is, and what may help.

use std::borrow::Cow;
use std::process::ExitCode;
use std::sync::Arc;

use assetsync_core::protocol::FailureCode;
use assetsync_ssh::TransportError;
use assetsync_sync::store::StoreError;
use assetsync_sync::{PushError, Refusal, SourceError};

/// How a command ended; scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All done.
    Done = 0,
    /// Failed: nowhere done.
    Failed = 1,
    /// Bad usage or configuration: it will fail again until that is changed.
    Usage = 2,
    /// Some destinations failed, others are done.
    SomeFailed = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// What several destinations come to.
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

/// A command's end, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, with its causes.
    pub message: String,
    /// What may help, each a sentence of its own.
    pub hints: Vec<Cow<'static, str>>,
}

impl CommandError {
    /// The user's words or files are at fault.
    pub fn usage(message: impl ToString) -> CommandError {
        CommandError { exit: Exit::Usage, message: message.to_string(), hints: Vec::new() }
    }

    /// Something failed.
    pub fn failed(message: impl ToString) -> CommandError {
        CommandError { exit: Exit::Failed, message: message.to_string(), hints: Vec::new() }
    }

    /// The same error with one more hint.
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

impl From<SourceError> for CommandError {
    fn from(error: SourceError) -> CommandError {
        CommandError::from(&PushError::from(Arc::new(error)))
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
            _ => vec!["--store DIR names another directory".into()],
        };
        CommandError { exit, message: chain(&error), hints }
    }
}

/// The one place that decides which failures are the configuration's.
///
/// A command of `-e` that does not exist counts as a failure (1): the same line works where it is installed.
fn exit_of(error: &PushError) -> Exit {
    match error {
        PushError::EmptySource(_) => Exit::Usage,
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
            "-n shows all that would be deleted; if that is right: --max-delete {}",
            foreign.planned
        ))),
        other => fixed_hint(other).map(Cow::from),
    }
}

fn fixed_hint(error: &PushError) -> Option<&'static str> {
    match error {
        PushError::Source(error) if matches!(**error, SourceError::Unreadable(_)) => {
            Some("--exclude leaves out what needs not be pushed")
        }
        PushError::EmptySource(_) => Some("--allow-empty deletes everything all the same"),
        PushError::Refused(Refusal::TooMany { .. }) => {
            Some("-n shows what would be deleted; if that is right, raise --max-delete")
        }
        PushError::NoRoom { .. } => {
            Some("old and new files stand side by side until the deletes at the end")
        }
        PushError::Timeout(_) => Some("--timeout sets how long silence is borne"),
        PushError::Agent(failure) => agent_hint(failure.code),
        PushError::Transport(error) => transport_hint(error),
        _ => None,
    }
}

fn agent_hint(code: FailureCode) -> Option<&'static str> {
    match code {
        FailureCode::Locked => Some("wait for the other push to end, then push again"),
        FailureCode::NotADirectory => Some("DEST is a directory; its contents become those of SRC"),
        FailureCode::Permission => {
            Some("the user that logs in must be able to write to the destination directory")
        }
        FailureCode::NoSpace => {
            Some("the served files are as they were; make room, then push again")
        }
        FailureCode::Obstruction => {
            Some("DEST must be a directory, and nothing else may write to it meanwhile")
        }
        FailureCode::Protected => Some(
            "DEST is the directory that gets the contents of SRC, \
             such as web1:/var/www/shop/public/assets; without --delete nothing is deleted",
        ),
        _ => None,
    }
}

fn transport_hint(error: &TransportError) -> Option<&'static str> {
    match error {
        TransportError::Auth { .. } => Some("-i FILE names a key, -v says how the host is reached"),
        TransportError::Resolve { .. } | TransportError::Connect { .. } => {
            Some("-p sets the port, -F names the ssh configuration")
        }
        TransportError::Timeout { .. } => Some("--timeout sets how long silence is borne"),
        TransportError::NoAgentFor { .. } | TransportError::Noexec { .. } => {
            Some("--transport sftp needs no program there")
        }
        _ => None,
    }
}

/// An error and its causes, in one line; a cause that is part of the text already is not repeated.
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
    fn several_ends_are_one_exit_code() {
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
