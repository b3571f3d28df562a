//! From a destination and options to a started command.

use crate::channel::Channel;
use crate::child::spawn;
use crate::choose::{Choice, Facts, choose};
use crate::error::TransportError;
use crate::host_config::{HostConfig, host_config};
use crate::known_hosts::KnownKeys;
use crate::options::{Prompt, SshOptions, TransportKind};
use crate::pump::Request;
use crate::rsh::{self, Start};
use crate::session::AnswerTimes;
use crate::target::RemoteTarget;
use crate::{remote, session};

/// A started command and how the host was reached.
#[derive(Debug)]
pub struct Connected {
    /// The running command.
    pub channel: Channel,
    /// One line for `-v`: the transport and why it was chosen.
    pub how: String,
    /// How long the host took to answer, where this process made the connection itself.
    pub answers: Option<AnswerTimes>,
}

/// Starts `command` (a line for the login shell) on the host of `target`.
pub fn connect(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
    command: &str,
) -> Result<Connected, TransportError> {
    start(target, options, prompt, Start::Command(command))
}

/// Starts the host's SFTP subsystem.
pub(crate) fn connect_sftp(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
) -> Result<Connected, TransportError> {
    start(target, options, prompt, Start::Sftp)
}

fn start(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
    start: Start<'_>,
) -> Result<Connected, TransportError> {
    if let Some(rsh) = &options.rsh {
        if options.transport == Some(TransportKind::Ssh2) {
            return Err(TransportError::Options("-e and --transport ssh2 exclude each other"));
        }
        let command = rsh::remote_shell(rsh, target, options, start)?;
        let channel = spawn(command, &target.host)?;
        let how = format!("remote shell {rsh}, as -e says");
        return Ok(Connected { channel, how, answers: None });
    }
    if options.transport == Some(TransportKind::OpenSsh) {
        return openssh(target, options, start, "as --transport says");
    }
    let config = host_config(target, options)?;
    let known = KnownKeys::read(&config.known_hosts, &config.lookup_name())?;
    match choose(&config, &Facts::gather(&config, &known)) {
        Choice::OpenSsh { why } if options.transport != Some(TransportKind::Ssh2) => {
            openssh(target, options, start, &why)
        }
        _ => in_process(&config, &known, options, prompt, start),
    }
}

fn openssh(
    target: &RemoteTarget,
    options: &SshOptions,
    start: Start<'_>,
    why: &str,
) -> Result<Connected, TransportError> {
    let channel = spawn(rsh::openssh(target, options, start), &target.host)?;
    let how = format!("the ssh program, because {why}");
    Ok(Connected { channel, how, answers: None })
}

fn in_process(
    config: &HostConfig,
    known: &KnownKeys,
    options: &SshOptions,
    prompt: &dyn Prompt,
    start: Start<'_>,
) -> Result<Connected, TransportError> {
    let logged_in = session::log_in(config, known, options, prompt)?;
    let request = match start {
        Start::Command(line) => Request::Command(line.to_owned()),
        Start::Sftp => Request::Sftp,
    };
    let host = &config.hostname;
    let how = format!("libssh2 to {host} port {} as {}", config.port, config.user);
    let (channel, answers) = remote::start(logged_in, host, options.connect_timeout, request)?;
    Ok(Connected { channel, how, answers: Some(answers) })
}
