//! How clients reach a server: port and `ssh_config`.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config;
use crate::error::{ErrorContext, Result};
use crate::keys;
use crate::process::find;

/// The file name of the hosts a client knows.
pub(crate) const KNOWN_HOSTS: &str = "known_hosts";

/// How clients reach an [`Sshd`](crate::Sshd), directly or by a forwarder.
#[derive(Debug, Clone)]
pub struct Route {
    port: u16,
    config: PathBuf,
}

impl Route {
    /// The server's name in the configuration of every route.
    pub const ALIAS: &str = "testbed";

    /// Writes the configuration to reach it by `port` into `dir`, and makes `host_keys` known
    /// there.
    pub(crate) fn create(dir: &Path, user: &str, port: u16, host_keys: &[String]) -> Result<Self> {
        let config = dir.join(format!("ssh_config-{port}"));
        let known = dir.join(KNOWN_HOSTS);
        let text = config::client(Self::ALIAS, port, user, &dir.join(keys::CLIENT), &known);
        fs::write(&config, text).doing("write", &config)?;
        append_known(&known, port, host_keys)?;
        Ok(Self { port, config })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The client's `ssh_config`, for `ssh -F`.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// An `ssh` to the server; add a command to it.
    pub fn ssh(&self) -> Result<Command> {
        let mut command = Command::new(find("ssh", "openssh-client")?);
        command.arg("-F").arg(&self.config).arg(Self::ALIAS);
        Ok(command)
    }

    /// An `sftp` to the server that takes its commands from standard input.
    pub fn sftp(&self) -> Result<Command> {
        let mut command = Command::new(find("sftp", "openssh-client")?);
        command.arg("-q").arg("-b").arg("-").arg("-F").arg(&self.config).arg(Self::ALIAS);
        Ok(command)
    }

    /// The remote shell for a program's `-e` or `--rsh`, with [`Self::ALIAS`] as the host.
    #[must_use]
    pub fn remote_shell(&self) -> OsString {
        let mut shell = OsString::from("ssh -F '");
        shell.push(&self.config);
        shell.push(format!("' -p {}", self.port));
        shell
    }
}

/// Adds `host_keys` at `port` to the known hosts, in one write, as tests may do so at once.
fn append_known(known: &Path, port: u16, host_keys: &[String]) -> Result<()> {
    let lines: String = host_keys.iter().map(|key| config::known_host(port, key) + "\n").collect();
    let mut file = OpenOptions::new().append(true).create(true).open(known).doing("open", known)?;
    file.write_all(lines.as_bytes()).doing("write", known)
}
