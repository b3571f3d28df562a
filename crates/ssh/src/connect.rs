//! From a destination and options to a started command.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use assetsync_core::text;

use crate::channel::Channel;
use crate::child_process::spawn;
use crate::error::TransportError;
use crate::host_config::{HostConfig, host_config};
use crate::known_hosts::KnownHost;
use crate::login_limit::{LoginKey, connecting};
use crate::ssh_command::{self, Start, WordForm};
use crate::ssh_options::{CONNECT_TIMEOUT, Prompt, SshOptions, TransportKind};
use crate::ssh2_command;
use crate::ssh2_io::Request;
use crate::ssh2_session::{self, ResponseTimes};
use crate::target::RemoteTarget;
use crate::transport_choice::{Choice, Facts, choose};

/// A shell's exit status for a program that exists but can't be executed.
const CANNOT_EXECUTE: i32 = 126;
/// A shell's exit status for a program that does not exist.
const NOT_FOUND: i32 = 127;

/// Held while a login may ask on the terminal.
static ASKING: Mutex<()> = Mutex::new(());

/// A started command, and how the connection was made.
#[derive(Debug)]
pub struct Connected {
    /// The running command.
    pub channel: Channel,
    /// One line for `-v`: the transport and why it was chosen.
    pub how: String,
    /// The response times of the host, if this process made the connection itself.
    pub response_times: Option<ResponseTimes>,
}

/// Starts `command` (a line for the login shell) on the host of `target`, and lets `begin` wait for
/// its first output.
///
/// The number of concurrent logins to a server is limited until `begin` returns. If the server was
/// busy, both are tried again. Only `begin` can know that the `ssh` program has logged in, so it
/// must fail with [`TransportError::Busy`] if
/// [`Exit::is_before_login`](crate::Exit::is_before_login) says that it has not.
pub fn connect<T>(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
    command: &str,
    begin: impl FnMut(Connected) -> Result<T, TransportError>,
) -> Result<T, TransportError> {
    Way::to(target, options)?.connect(prompt, Start::Command(command), begin)
}

/// As [`connect`], for the host's SFTP subsystem.
pub(crate) fn connect_sftp<T>(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
    begin: impl FnMut(Connected) -> Result<T, TransportError>,
) -> Result<T, TransportError> {
    Way::to(target, options)?.connect(prompt, Start::Sftp, begin)
}

/// The transport to a host, from options and configuration.
struct Way<'a> {
    target: &'a RemoteTarget,
    options: &'a SshOptions,
    by: By<'a>,
}

enum By<'a> {
    /// The command given with `-e`, and how it gets what it runs.
    RemoteShell(&'a str, WordForm),
    /// The `ssh` program, and the reason.
    OpenSsh { why: String, connect_timeout: Option<Duration> },
    /// In-process libssh2.
    Libssh2(Box<HostConfig>, KnownHost),
}

impl<'a> Way<'a> {
    fn to(target: &'a RemoteTarget, options: &'a SshOptions) -> Result<Way<'a>, TransportError> {
        Ok(Way { target, options, by: By::of(target, options)? })
    }

    /// Connects, by the `ssh` program if libssh2 can't.
    fn connect<T>(
        &self,
        prompt: &dyn Prompt,
        start: Start<'_>,
        mut begin: impl FnMut(Connected) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let connected = connecting(&self.by.login_key(), || begin(self.start(prompt, start)?));
        let error = match connected {
            Err(error) => error,
            connected => return connected,
        };
        match self.next_way(&error) {
            None => Err(error),
            Some(next) => {
                // Only one login at a time can ask on the terminal.
                let _asking = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
                let other = connecting(&next.by.login_key(), || begin(next.start(prompt, start)?));
                // Without the ssh program, the first reason is the one to mend.
                if matches!(other, Err(TransportError::Spawn { .. })) { Err(error) } else { other }
            }
        }
    }

    /// Another way to the same host, if this one failed for a reason that does not matter there.
    fn next_way(&self, error: &TransportError) -> Option<Way<'a>> {
        let by = match (&self.by, error) {
            (By::Libssh2(..), _) if self.options.transport == Some(TransportKind::Ssh2) => None,
            (By::Libssh2(config, _), error) => {
                let connect_timeout = config.connect_timeout;
                let why = hand_over(error, self.options.ssh_may_ask);
                why.map(|why| By::OpenSsh { why, connect_timeout })
            }
            // It may have found no program of such a long name.
            (By::RemoteShell(rsh, WordForm::Line), error)
                if is_not_found(error) && !ssh_command::is_ssh(rsh) =>
            {
                Some(By::RemoteShell(rsh, WordForm::Words))
            }
            _ => None,
        };
        by.map(|by| Way { by, ..*self })
    }

    fn start(&self, prompt: &dyn Prompt, start: Start<'_>) -> Result<Connected, TransportError> {
        let (target, options) = (self.target, self.options);
        let (command, how) = match &self.by {
            By::Libssh2(config, known) => {
                return in_process(config, known, options, prompt, start);
            }
            By::RemoteShell(rsh, form) => {
                let command = ssh_command::remote_shell(rsh, target, options, start, *form)?;
                // Its arguments may hold a password.
                let program = text::path(Path::new(command.get_program()));
                (command, format!("remote shell {program}, as -e says"))
            }
            By::OpenSsh { why, connect_timeout } => {
                let limit = options.connect_timeout.or(*connect_timeout).unwrap_or(CONNECT_TIMEOUT);
                let command = ssh_command::openssh(target, options, limit, start);
                (command, format!("the ssh program, because {why}"))
            }
        };
        Ok(Connected { channel: spawn(command, &target.host)?, how, response_times: None })
    }
}

impl<'a> By<'a> {
    fn of(target: &RemoteTarget, options: &'a SshOptions) -> Result<By<'a>, TransportError> {
        if let Some(rsh) = &options.rsh {
            if options.transport == Some(TransportKind::Ssh2) {
                let both = "-e and --transport ssh2 exclude each other";
                return Err(TransportError::Options(both));
            }
            return Ok(By::RemoteShell(rsh, WordForm::of(rsh)));
        }
        let config = host_config(target, options);
        if options.transport == Some(TransportKind::OpenSsh) {
            let connect_timeout = config.ok().and_then(|config| config.connect_timeout);
            return Ok(By::OpenSsh { why: "--transport says so".into(), connect_timeout });
        }
        let config = config?;
        let known = KnownHost::read(&config)?;
        let facts = Facts::gather(&config, &known.with_port, &known.without_port);
        Ok(match choose(&config, &facts) {
            Choice::OpenSsh { why } if options.transport != Some(TransportKind::Ssh2) => {
                By::OpenSsh { why, connect_timeout: config.connect_timeout }
            }
            _ => By::Libssh2(Box::new(config), known),
        })
    }

    fn login_key(&self) -> LoginKey {
        match self {
            By::RemoteShell(rsh, _) => LoginKey::Program { why: (*rsh).to_owned() },
            By::OpenSsh { why, .. } => LoginKey::Program { why: why.clone() },
            By::Libssh2(config, _) => {
                LoginKey::Server { host: config.hostname.clone(), port: config.port }
            }
        }
    }
}

/// Why the `ssh` program may connect where libssh2 failed: it has other algorithms and other ways
/// to log in. A host key that is not the known one, or a host that does not answer, is no reason.
fn hand_over(error: &TransportError, may_ask: bool) -> Option<String> {
    match error {
        TransportError::Negotiation { detail, .. } => {
            Some(format!("libssh2 and the host agreed on no algorithms ({detail})"))
        }
        TransportError::Auth { others, .. }
            if others.unprompted || (others.prompted && may_ask) =>
        {
            Some("the host offers ways to log in that libssh2 was not given".into())
        }
        TransportError::KeyEncrypted { path } if may_ask => {
            Some(format!("{} needs a passphrase", text::path(path)))
        }
        _ => None,
    }
}

/// Whether a remote shell started, and found no program to run, or one that can't be started.
/// That an agent can't be started, the bootstrap script says, so there is a shell.
fn is_not_found(error: &TransportError) -> bool {
    let TransportError::Closed { exit, .. } = error else { return false };
    matches!(exit, Some(CANNOT_EXECUTE | NOT_FOUND))
}

fn in_process(
    config: &HostConfig,
    known: &KnownHost,
    options: &SshOptions,
    prompt: &dyn Prompt,
    start: Start<'_>,
) -> Result<Connected, TransportError> {
    let logged_in = ssh2_session::log_in(config, known, options, prompt)?;
    let request = match start {
        Start::Command(line) => Request::Command(line.to_owned()),
        Start::Sftp => Request::Sftp,
    };
    let host = &config.hostname;
    let how = format!("libssh2 to {host} port {} as {}", config.port, config.user);
    let (channel, response_times) = ssh2_command::start(logged_in, host, request)?;
    Ok(Connected { channel, how, response_times: Some(response_times) })
}
