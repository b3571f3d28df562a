//! Reach a host and start the agent on it: child process, libssh2, any remote shell, SFTP.
//!
//! [`connect`] turns a destination into a [`Channel`]: a reader, a writer and an end. It asks
//! `ssh -G` for the user's settings and follows them in process with libssh2, or starts the `ssh`
//! program where only that can (jump hosts, certificates, hardware keys: see [`choose`]), or the
//! command given with `-e`. [`spawn`] makes the same channel of a local process.
//!
//! ```text
//! Target::parse ── RemoteTarget ── host_config ── choose ──┬── session, auth, pump   libssh2
//!                                                          └── rsh, child            ssh, -e
//! Agents ── bootstrap::command ── connect ── bootstrap::start ── a running agent
//!                                    └────── sftp::sftp_session    where no agent can run
//! ```
//!
//! Rules that hold for every way to a host:
//! - an unknown, changed or revoked host key is refused in process, and no option turns that off; the
//!   `ssh` program goes by the user's configuration, which may be laxer (`StrictHostKeyChecking no`);
//! - questions are asked only if the caller says that somebody is there to answer;
//! - one connection, at most a few keys, no second try: servers penalise those by address. Only if a
//!   server closes connections before its SSH banner, because too many log in at a time, the same
//!   login is retried a few times, with fewer in parallel;
//! - paths and options are never on a remote command line;
//! - messages of a host are shown only as [`assetsync_core::text`] gives them;
//! - dropping a channel ends its command at once and leaves neither zombie nor thread.

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
mod lanes;
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
pub use options::{NoPrompt, Prompt, SshOptions, TransportKind};
pub use phase::Phase;
pub use session::ResponseTimes;
pub use target::{RemoteTarget, Target};
pub use timed::{TimedReader, TimedWriter};
