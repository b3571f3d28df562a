//! Options for reaching hosts.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to reach hosts. The defaults are those of the user's own `ssh`.
#[derive(Clone, Debug)]
pub struct SshOptions {
    /// Private keys to use and no others (`-i`).
    pub identities: Vec<PathBuf>,
    /// The TCP port (`-p`); a port in the destination goes before it.
    pub port: Option<u16>,
    /// The ssh configuration file (`-F`).
    pub config_file: Option<PathBuf>,
    /// The remote shell command (`-e`), as in rsync.
    pub rsh: Option<String>,
    /// The transport to use; by default libssh2, or `ssh` where the host's settings need it.
    pub transport: Option<TransportKind>,
    /// How long connecting and logging in may take.
    pub connect_timeout: Duration,
    /// Whether a person is there to answer questions.
    pub interactive: bool,
}

/// The transports that a user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// In-process libssh2.
    Ssh2,
    /// The `ssh` program.
    OpenSsh,
    /// No agent at all: files over SFTP.
    Sftp,
}

/// A person who can be asked for a passphrase.
pub trait Prompt {
    /// The passphrase of a private key, or none if the person declines.
    fn passphrase(&self, key: &Path) -> Option<String>;
}

/// Nobody is there to be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPrompt;

impl Prompt for NoPrompt {
    fn passphrase(&self, _key: &Path) -> Option<String> {
        None
    }
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            identities: Vec::new(),
            port: None,
            config_file: None,
            rsh: None,
            transport: None,
            connect_timeout: Duration::from_secs(15),
            interactive: false,
        }
    }
}
