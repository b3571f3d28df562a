//! The errors of connecting to a host and starting a command on it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use assetsync_core::text;

use crate::connect_phase::{LOGIN_ATTEMPTS, Phase};
use crate::ending::ending;
use crate::run_as::RunAs;

/// The ways to log in without a key of one's own that a host offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginMethods {
    /// Somebody is asked: for a password, a code, or both.
    pub prompted: bool,
    /// A ticket or a key of this machine: GSSAPI, host-based.
    pub unprompted: bool,
}

impl LoginMethods {
    /// Reads the names that a host lists, separated by commas.
    pub(crate) fn parse(names: &str) -> LoginMethods {
        let has = |wanted: &[&str]| names.split(',').any(|name| wanted.contains(&name));
        LoginMethods {
            prompted: has(&["password", "keyboard-interactive"]),
            unprompted: has(&["gssapi-with-mic", "gssapi-keyex", "hostbased"]),
        }
    }
}

/// How many bytes of a text from the host an error quotes.
const EXCERPT: usize = 400;

/// Why connecting to a host, or starting a command on it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The destination has an invalid form.
    #[error(
        "Invalid destination {given:?}: {reason}; expected [user@]host:path, \
         ssh://[user@]host[:port]/path or a local path"
    )]
    Target {
        /// The given text.
        given: String,
        /// The reason.
        reason: &'static str,
    },
    /// A command line (`-e`) cannot be split into words.
    #[error("Cannot split remote shell {command:?} into words: {reason}")]
    RemoteShell {
        /// The given command line.
        command: String,
        /// The reason.
        reason: String,
    },
    /// Options that contradict each other.
    #[error("{0}")]
    Options(&'static str),
    /// `ssh -G` refused the user's own configuration.
    #[error("Cannot read the ssh configuration for {host}: {detail}")]
    SshConfig {
        /// The host asked about.
        host: String,
        /// Standard error of `ssh -G`.
        detail: String,
    },
    /// A local program could not be started.
    #[error("Cannot run {program}: {source}; check that it is installed and on PATH")]
    Spawn {
        /// The program's name.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The name has no address.
    #[error("Cannot resolve {host}: {source}")]
    Resolve {
        /// The host name.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// No address of the host accepted a connection.
    #[error("Cannot connect to {host} port {port}: {source}")]
    Connect {
        /// The host name.
        host: String,
        /// The TCP port.
        port: u16,
        /// The cause at the last address tried.
        source: io::Error,
    },
    /// No byte from the host for too long.
    #[error("{host} did not answer within {} s ({phase})", .after.as_secs_f32())]
    Timeout {
        /// The host name.
        host: String,
        /// The step that took too long.
        phase: Phase,
        /// The time allowed.
        after: Duration,
    },
    /// The SSH protocol failed.
    #[error("SSH to {host} failed ({phase}): {detail}")]
    Ssh {
        /// The host name.
        host: String,
        /// The step that failed.
        phase: Phase,
        /// The message of the library or the host.
        detail: String,
    },
    /// libssh2 and the host agree on no algorithms, or the connection was lost before they could.
    #[error("SSH to {host} failed (the handshake): {detail}")]
    Negotiation {
        /// The host name.
        host: String,
        /// The message of the library.
        detail: String,
    },
    /// The host closed the connection before it sent its SSH banner, in every try.
    #[error(
        "{host} closed the connection before the login, {LOGIN_ATTEMPTS} times{}; its sshd may limit \
         concurrent logins (MaxStartups, PerSourceMaxStartups) or block this address for some time \
         (PerSourcePenalties)",
        quoted(.said)
    )]
    Busy {
        /// The host name.
        host: String,
        /// The message of the host or of the `ssh` program, safe to show.
        said: String,
    },
    /// No known_hosts file has a key of this host.
    #[error(
        "The host key of {host} is not known: it presents {key}. Compare that \
         with the key file on the host (ssh-keygen -lf FILE), then run: \
         ssh-keyscan -p {port} {scan_host} >> {file}"
    )]
    UnknownHostKey {
        /// The name looked up in known_hosts.
        host: String,
        /// The name to scan.
        scan_host: String,
        /// The TCP port.
        port: u16,
        /// Type and `SHA256:...` fingerprint of the presented key.
        key: String,
        /// The file to add the key to.
        file: String,
    },
    /// Another key is known for this host.
    #[error(
        "THE HOST KEY OF {host} HAS CHANGED, or someone intercepts the connection: it presents \
         {key}, but {entry} holds another key. If you know why the key \
         changed, run: ssh-keygen -R '{host}' -f {file}"
    )]
    ChangedHostKey {
        /// The name looked up in known_hosts.
        host: String,
        /// Type and `SHA256:...` fingerprint of the presented key.
        key: String,
        /// `file:line` of the conflicting entry.
        entry: String,
        /// The file of the conflicting entry.
        file: String,
    },
    /// A known_hosts file marks the presented key as revoked.
    #[error("The host key {fingerprint} of {host} is revoked at {entry}; do not connect")]
    RevokedHostKey {
        /// The name looked up in known_hosts.
        host: String,
        /// `SHA256:...` of the presented key.
        fingerprint: String,
        /// `file:line` of the revocation.
        entry: String,
    },
    /// A file cannot be read.
    #[error("Cannot read {}: {source}", text::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A private key that others can read.
    #[error(
        "Private key {} can be read by others (mode {mode:04o}); run: chmod 600 {}",
        text::path(.path), text::path(.path)
    )]
    KeyMode {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A private key needs a passphrase, and there is no terminal to ask for it.
    #[error(
        "Private key {} is encrypted, and its passphrase can only be asked for on a terminal; \
         load it first: ssh-add {}",
        text::path(.path), text::path(.path)
    )]
    KeyEncrypted {
        /// The key file.
        path: PathBuf,
    },
    /// The host accepted none of the keys.
    #[error(
        "{host} refused the login of {user}; tried: {}{}", tried_text(.tried), others_text(.others)
    )]
    Auth {
        /// The host name.
        host: String,
        /// The remote user.
        user: String,
        /// Each key that was tried, and its result.
        tried: Vec<String>,
        /// Other ways to log in that the host offers.
        others: LoginMethods,
    },
    /// The connection or the command ended before the work was done.
    #[error(
        "{host} closed the connection ({}){}",
        ending(*.exit, .signal.as_deref()), quoted(.stderr)
    )]
    Closed {
        /// The host name.
        host: String,
        /// The command's exit status, if it had one.
        exit: Option<i32>,
        /// The signal that ended it, if one did, without `SIG`.
        signal: Option<String>,
        /// Its standard error, safe to show.
        stderr: String,
    },
    /// The host is logged in to, and starts no command.
    #[error("{host} runs no commands for this user{}", quoted(.said))]
    RequestRefused {
        /// The host name.
        host: String,
        /// Its output, safe to show.
        said: String,
    },
    /// Reading from or writing to the command failed.
    #[error("The connection to {host} failed: {source}")]
    Io {
        /// The host name.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// The login shell prints too much before the agent can start.
    #[error(
        "The login shell of {host} prints more than {limit} bytes before a command runs; \
         its start-up files must print nothing in non-interactive shells. It printed: {excerpt}"
    )]
    Noisy {
        /// The host name.
        host: String,
        /// How much noise is accepted.
        limit: usize,
        /// The end of the noise, safe to show.
        excerpt: String,
    },
    /// There is no agent build for the host's system.
    #[error(
        "No agent build for {platform} ({host}); put one in a directory listed in ASSETSYNC_AGENTS"
    )]
    NoAgentFor {
        /// The host name.
        host: String,
        /// Kernel and machine as `uname` names them, such as `Linux-riscv64`.
        platform: String,
    },
    /// Nothing can be executed where the agent could be stored.
    #[error("The agent cannot run on {host}: programs in {directory} do not start (noexec?)")]
    Noexec {
        /// The host name.
        host: String,
        /// The directory, with the exit status of the trial where there was one.
        directory: String,
    },
    /// No directory to store the agent in.
    #[error(
        "No directory on {host} can hold the agent: {detail} (each must belong to the user, \
         not be writable by others, and have free space)"
    )]
    NoDirectory {
        /// The host name.
        host: String,
        /// The directories that were refused.
        detail: String,
    },
    /// The user that logs in may not become the other one.
    #[error(
        "Can't run as {user} on {host}{}; sudo there must need no password for it (NOPASSWD in \
         sudoers)",
        quoted(.said)
    )]
    RunAs {
        /// The host name.
        host: String,
        /// The other user.
        user: RunAs,
        /// What sudo printed, safe to show.
        said: String,
    },
    /// The agent did not arrive intact.
    #[error("The agent arrived damaged on {host} in {directory}; is the disk full?")]
    Damaged {
        /// The host name.
        host: String,
        /// Where it was written.
        directory: String,
    },
}

impl TransportError {
    /// Whether the same login may succeed later.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// The error in the light of the user that was to run the command: if nothing of it ran, sudo
    /// refused that.
    pub fn with_run_as(self, run_as: Option<&RunAs>) -> TransportError {
        match (self, run_as) {
            (Self::Closed { host, exit: Some(1), stderr, .. }, Some(user)) => {
                Self::RunAs { host, user: user.clone(), said: stderr }
            }
            (error, _) => error,
        }
    }

    /// Whether the host responds but can't run the agent, so that SFTP may work.
    pub fn suggests_sftp(&self) -> bool {
        match self {
            Self::NoAgentFor { .. }
            | Self::Noexec { .. }
            | Self::NoDirectory { .. }
            | Self::Damaged { .. }
            | Self::RequestRefused { .. }
            | Self::Noisy { .. } => true,
            // 255 is an error of the `ssh` program itself: there was no connection.
            Self::Closed { exit, .. } => exit.is_some_and(|status| status != 255),
            _ => false,
        }
    }

    /// What lets an agent run on a host for which this suggests SFTP.
    pub fn how_to_avoid_sftp(&self) -> &'static str {
        match self {
            Self::NoAgentFor { .. } => {
                "a build of assetsync with an agent for that platform needs no SFTP"
            }
            Self::Noexec { .. } | Self::NoDirectory { .. } | Self::Damaged { .. } => {
                "to avoid SFTP, set XDG_CACHE_HOME or HOME of that user to a directory that can \
                 hold the agent"
            }
            Self::Noisy { .. } => "to avoid SFTP, use a login shell that prints nothing",
            _ => "to avoid SFTP, log in as a user that may run commands",
        }
    }
}

/// The end of a text from the host, safe to show: errors come last.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    text::last_lines(bytes, EXCERPT).trim().to_owned()
}

fn others_text(others: &LoginMethods) -> &'static str {
    match others {
        LoginMethods { prompted: true, .. } => {
            "; the host also asks for passwords, which needs a terminal or SSH_ASKPASS"
        }
        _ => "",
    }
}

fn tried_text(tried: &[String]) -> String {
    match tried {
        [] => "nothing: there is no key in ssh-agent and no key file".to_owned(),
        tried => tried.join("; "),
    }
}

fn quoted(stderr: &str) -> String {
    match stderr.trim() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}
