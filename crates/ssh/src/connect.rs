//! From a destination and options to a started command.

use std::path::Path;

use assetsync_core::text;

use crate::channel::Channel;
use crate::child_process::spawn;
use crate::error::TransportError;
use crate::host_config::{HostConfig, host_config};
use crate::known_hosts::KnownKeys;
use crate::login_limit::{LoginKey, connecting};
use crate::ssh_command::{self, Start};
use crate::ssh_options::{Prompt, SshOptions, TransportKind};
use crate::ssh2_command;
use crate::ssh2_io::Request;
use crate::ssh2_session::{self, ResponseTimes};
use crate::target::RemoteTarget;
use crate::transport_choice::{Choice, Facts, choose};

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
    /// The command given with `-e`.
    RemoteShell(&'a str),
    /// The `ssh` program, and the reason.
    OpenSsh(String),
    /// In-process libssh2.
    Libssh2(Box<HostConfig>, KnownKeys),
}

impl<'a> Way<'a> {
    fn to(target: &'a RemoteTarget, options: &'a SshOptions) -> Result<Way<'a>, TransportError> {
        Ok(Way { target, options, by: By::of(target, options)? })
    }

    fn connect<T>(
        &self,
        prompt: &dyn Prompt,
        start: Start<'_>,
        mut begin: impl FnMut(Connected) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        connecting(&self.by.login_key(), || begin(self.start(prompt, start)?))
    }

    fn start(&self, prompt: &dyn Prompt, start: Start<'_>) -> Result<Connected, TransportError> {
        let (target, options) = (self.target, self.options);
        let (command, how) = match &self.by {
            By::Libssh2(config, known) => {
                return in_process(config, known, options, prompt, start);
            }
            By::RemoteShell(rsh) => {
                let command = ssh_command::remote_shell(rsh, target, options, start)?;
                // Its arguments may hold a password.
                let program = text::path(Path::new(command.get_program()));
                (command, format!("remote shell {program}, as -e says"))
            }
            By::OpenSsh(why) => {
                let command = ssh_command::openssh(target, options, start);
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
            return Ok(By::RemoteShell(rsh));
        }
        if options.transport == Some(TransportKind::OpenSsh) {
            return Ok(By::OpenSsh("--transport says so".into()));
        }
        let config = host_config(target, options)?;
        let known = KnownKeys::read(&config.known_hosts, &config.lookup_name())?;
        Ok(match choose(&config, &Facts::gather(&config, &known)) {
            Choice::OpenSsh { why } if options.transport != Some(TransportKind::Ssh2) => {
                By::OpenSsh(why)
            }
            _ => By::Libssh2(Box::new(config), known),
        })
    }

    fn login_key(&self) -> LoginKey {
        match self {
            By::RemoteShell(rsh) => LoginKey::Program { why: (*rsh).to_owned() },
            By::OpenSsh(why) => LoginKey::Program { why: why.clone() },
            By::Libssh2(config, _) => {
                LoginKey::Server { host: config.hostname.clone(), port: config.port }
            }
        }
    }
}

fn in_process(
    config: &HostConfig,
    known: &KnownKeys,
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
    let (channel, response_times) =
        ssh2_command::start(logged_in, host, options.connect_timeout, request)?;
    Ok(Connected { channel, how, response_times: Some(response_times) })
}
