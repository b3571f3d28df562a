//! A throw-away OpenSSH server on loopback.
//!
//! Everything it needs is in one temporary directory: host keys, a client's key, both
//! configurations, a home for its sessions. It runs as whoever runs the test, root or not.

mod builder;
mod config;
mod keys;
mod launch;
mod login;
mod route;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

use tempfile::TempDir;

pub use builder::SshdBuilder;
pub use keys::KeyType;
pub use route::Route;

use crate::error::Result;
use crate::process::{descendants, kill};

/// A running server; dropping it ends it and every session on it.
#[derive(Debug)]
pub struct Sshd {
    server: Child,
    dir: TempDir,
    user: String,
    port: u16,
    host_keys: Vec<String>,
    route: Route,
}

impl Sshd {
    /// A server with an Ed25519 host key and the account's own shell.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server to be told more about before it starts.
    #[must_use]
    pub fn builder() -> SshdBuilder {
        SshdBuilder::default()
    }

    /// The port on 127.0.0.1 where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first host key as `known_hosts` has it: host and port, type, key.
    #[must_use]
    pub fn host_key_line(&self) -> String {
        config::known_host(self.port, &self.host_keys[0])
    }

    /// The private key that may log in; the public one is next to it, with `.pub`.
    #[must_use]
    pub fn client_key(&self) -> PathBuf {
        self.dir().join(keys::CLIENT)
    }

    /// The `known_hosts` file with every host key, for the server's port and each [`Self::via`].
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir().join(route::KNOWN_HOSTS)
    }

    /// The client's `ssh_config`, where the server is the host [`Route::ALIAS`].
    #[must_use]
    pub fn ssh_config(&self) -> &Path {
        self.route.config()
    }

    /// The account to log in to: the one that runs the test.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What the server logged so far, at level `VERBOSE`.
    #[must_use]
    pub fn log(&self) -> String {
        launch::read_log(self.dir())
    }

    /// The directory that holds all of this.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The `HOME` of its sessions: empty at the start, and not the account's real one.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.dir().join(login::HOME)
    }

    /// The straight way to it.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The way to it by another port, as a [`Link`](crate::Link) in front of it offers one. Its
    /// host keys are known there from now on.
    pub fn via(&self, port: u16) -> Result<Route> {
        Route::create(self.dir(), &self.user, port, &self.host_keys)
    }

    /// The processes of its open sessions: sshd's own and what runs in them.
    #[must_use]
    pub fn session_pids(&self) -> Vec<u32> {
        descendants(self.server.id())
    }

    /// Ends every open session at once, as a host that loses power does; new ones can be opened.
    pub fn kill_sessions(&self) {
        self.session_pids().into_iter().for_each(kill);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Sessions are in process groups of their own and would outlive the listener; found while
        // it still is their parent.
        let sessions = self.session_pids();
        kill(self.server.id());
        let _ = self.server.wait();
        sessions.into_iter().for_each(kill);
    }
}

/// The name of the account that runs the test.
fn account() -> Result<String> {
    let output = crate::process::run(std::process::Command::new("id").arg("-un"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The directory that sshd confines its unprivileged part to. Only a system's own start script
/// makes it, and only a server run by root needs it.
fn prepare_run_dir() {
    if rustix::process::getuid().is_root() {
        // Where this fails, sshd's log says what is missing.
        let _ = fs::create_dir_all("/run/sshd");
    }
}

#[cfg(test)]
mod tests;
