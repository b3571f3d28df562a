//! Connects to a host and starts the agent: child process, libssh2, any remote shell, SFTP.
//!
//! [`connect`] turns a destination into a [`Channel`]: a reader, a writer and a handle. It reads
//! the user's settings from `ssh -G` and applies them in process with libssh2, or starts the `ssh`
//! program if only that supports them (jump hosts, certificates, hardware keys: see [`choose`]), or
//! the command given with `-e`. [`spawn`] makes the same kind of channel for a local process.
//!
//! ```text
//! Target::parse ── RemoteTarget ── host_config ── choose ──┬── session, auth, pump   libssh2
//!                                                          └── rsh, child            ssh, -e
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

mod agents;
mod auth;
pub mod bootstrap;
mod channel;
mod child;
mod choose;
mod connect;
mod error;
mod host_config;
mod key_file;
mod known_hosts;
mod login_limit;
mod options;
mod phase;
mod pump;
mod remote;
mod rsh;
mod session;
pub mod sftp;
mod stderr_tail;
mod target;
mod timed;
mod xz;

pub use agents::{Agent, Agents};
pub use channel::{Channel, CommandHandle, Exit};
pub use child::spawn;
pub use choose::{Choice, Facts, choose};
pub use connect::{Connected, connect};
pub use error::TransportError;
pub use host_config::{HostConfig, host_config};
pub use known_hosts::{Entry, KnownKeys, Marker, Verdict, fingerprint, key_type};
pub use options::{AddressFamily, NoPrompt, Prompt, SshOptions, TransportKind};
pub use phase::Phase;
pub use session::ResponseTimes;
pub use target::{RemoteTarget, Target};
pub use timed::{TimedReader, TimedWriter};
