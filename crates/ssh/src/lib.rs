//! Connects to a host and starts the agent: child process, libssh2, any remote shell, SFTP.
//!
//! [`connect`] turns a destination into a [`Channel`]: a reader, a writer and a handle. It reads
//! the user's settings from `ssh -G` and applies them in process with libssh2, or starts the `ssh`
//! program if only that supports them (jump hosts, certificates, hardware keys: see [`choose`]), or
//! the command given with `-e`. [`spawn`] makes the same kind of channel for a local process.
//!
//! ```text
//! Target::parse ── host_config ── transport_choice ──┬── ssh2_session, _login, _command, _io
//!                                                     └── ssh_command, child_process   (ssh, -e)
//! Agents ── bootstrap::command ── connect ── bootstrap::start ── a running agent
//!                                    └────── sftp::sftp_session    where no agent can run
//! ```
//!
//! Rules for every transport:
//! - an unknown, changed or revoked host key is refused in process, and no option turns that off;
//!   the `ssh` program uses the user's configuration, which may allow it
//!   (`StrictHostKeyChecking no`);
//! - questions are asked only if the caller allows it;
//! - one connection, at most a few keys, no second try: servers penalise those by address. Only if
//!   a server closes connections before its SSH banner, because of too many concurrent logins, the
//!   same login is retried a few times, with fewer in parallel;
//! - paths and options never appear on a remote command line;
//! - messages of a host are escaped by [`assetsync_core::text`];
//! - dropping a channel kills its command and leaves neither zombie nor thread.

mod agent;
mod agents;
mod algorithms;
mod banner;
pub mod bootstrap;
mod channel;
mod child_process;
mod connect;
mod connect_phase;
mod ending;
mod error;
mod host_config;
mod host_facts;
mod in_flight;
#[doc(hidden)]
pub mod internals;
mod key_file;
mod known_hosts;
mod login_limit;
mod nonce;
mod run_as;
pub mod sftp;
mod ssh2_command;
mod ssh2_io;
mod ssh2_login;
mod ssh2_session;
mod ssh_command;
mod ssh_options;
mod stderr_tail;
mod target;
mod timeout_io;
mod transport_choice;
mod uninstall;
mod watchdog;
mod xz_checksum;

pub use agent::Agent;
pub use agents::Agents;
pub use channel::{Channel, CommandHandle, Exit};
pub use child_process::spawn;
pub use connect::{Connected, connect};
pub use connect_phase::Phase;
pub use error::{LoginMethods, TransportError};
pub use host_config::{AllowedAlgorithms, HostConfig, host_config};
pub use host_facts::HostFacts;
pub use known_hosts::{Entry, KnownHost, KnownKeys, Marker, Verdict, fingerprint, key_type};
pub use nonce::{nonce, random};
pub use run_as::{InvalidUser, RunAs};
pub use ssh_options::{
    AddressFamily, CONNECT_TIMEOUT, NoPrompt, Prompt, SshOptions, TransportKind,
};
pub use ssh2_session::ResponseTimes;
pub use target::{RemoteTarget, Target};
pub use timeout_io::{Reading, Timed, TimedReader, TimedWriter, Writing};
pub use transport_choice::{Choice, Facts, choose};
pub use uninstall::{Uninstall, UninstallError, Uninstalled};
