//! Why a command failed.

use std::io;
use std::time::Duration;

use assetsync_ssh::TransportError;

use crate::command::{CommandError, Secrets, Shown};

impl From<CommandError> for CommandFailure {
    fn from(error: CommandError) -> CommandFailure {
        CommandFailure::Composing(error.to_string())
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandFailure {
    /// The command line can't be composed.
    #[error("{0}")]
    Composing(String),
    /// The host can't be reached, or the connection was lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// It could not be started here.
    #[error("Can't run {program}: {source}")]
    Spawn {
        /// The program.
        program: Shown,
        /// Why.
        source: io::Error,
    },
    /// Its output can't be read.
    #[error("Can't read what it prints: {0}")]
    Output(#[source] io::Error),
    /// It exited with another status than 0.
    #[error("exit status {status}{}", said(.last_line))]
    Status {
        /// Its exit status.
        status: i32,
        /// The last line it printed.
        last_line: Shown,
    },
    /// A signal ended it.
    #[error("killed by signal {signal}{}", said(.last_line))]
    Signal {
        /// The signal's name or number.
        signal: Shown,
        /// The last line it printed.
        last_line: Shown,
    },
    /// It took too long and was ended.
    #[error("timed out after {} s and was killed", .0.as_secs())]
    Timeout(Duration),
    /// The rollout was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The rollout was cancelled while it ran on a host.
    #[error("cancelled; it may still be running there")]
    Abandoned,
}

fn said(line: &Shown) -> String {
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

impl CommandFailure {
    /// Returns an error unless the exit status is 0.
    pub(super) fn of_exit(
        status: Option<i32>,
        signal: Option<Shown>,
        last_line: Shown,
    ) -> Result<(), CommandFailure> {
        match (status, signal) {
            (Some(0), _) => Ok(()),
            (Some(status), _) => Err(CommandFailure::Status { status, last_line }),
            (None, signal) => {
                let signal = signal.unwrap_or_else(|| Secrets::default().redact("unknown"));
                Err(CommandFailure::Signal { signal, last_line })
            }
        }
    }
}
