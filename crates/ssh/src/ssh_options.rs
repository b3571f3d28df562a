//! Options for reaching hosts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run_as::RunAs;

/// How to connect to hosts. The defaults come from the user's ssh configuration.
#[derive(Clone, Debug, Default)]
pub struct SshOptions {
    /// The only private keys to use (`-i`).
    pub identities: Vec<PathBuf>,
    /// The TCP port (`-p`); a port in the destination has precedence.
    pub port: Option<u16>,
    /// The ssh configuration file (`-F`).
    pub config_file: Option<PathBuf>,
    /// The user that agents run as, if not the one that logs in.
    pub run_as: Option<RunAs>,
    /// The remote shell command (`-e`), as in rsync.
    pub rsh: Option<String>,
    /// The only kind of address to connect to.
    pub address_family: Option<AddressFamily>,
    /// The transport to use; by default libssh2, or `ssh` if the host's settings need it.
    pub transport: Option<TransportKind>,
    /// How long connecting may take, up to the keys of the session, and then each attempt to log
    /// in; by default as long as ssh_config says.
    pub connect_timeout: Option<Duration>,
    /// Whether questions can be asked on a terminal.
    pub interactive: bool,
    /// Whether the `ssh` program may ask: on a terminal, or by `SSH_ASKPASS`.
    pub ssh_may_ask: bool,
}

/// How long connecting may take if nobody says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A kind of IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl AddressFamily {
    /// The option of `ssh`.
    pub(crate) fn ssh_option(self) -> &'static str {
        match self {
            AddressFamily::Ipv4 => "-4",
            AddressFamily::Ipv6 => "-6",
        }
    }
}

/// The transports that a user can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// In-process libssh2.
    Ssh2,
    /// The `ssh` program.
    OpenSsh,
    /// SFTP, without an agent.
    Sftp,
}

/// Asks the user for passphrases.
pub trait Prompt {
    /// The passphrase of a private key; `None` if the user declines.
    fn passphrase(&self, key: &Path) -> Option<String>;
}

/// Asks nothing: every passphrase is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrompt;

impl Prompt for NoPrompt {
    fn passphrase(&self, _key: &Path) -> Option<String> {
        None
    }
}
