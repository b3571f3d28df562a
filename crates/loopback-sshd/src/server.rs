//! A running server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::config;
use crate::error::Result;
use crate::keys;
use crate::launch;
use crate::process::{descendants, kill, run};
use crate::route::{self, Route};

/// The name of the home directory of sessions.
pub(crate) const HOME: &str = "home";

/// A running server; dropping it ends it and every session on it.
#[derive(Debug)]
pub struct Sshd {
    pub(crate) process: Child,
    pub(crate) dir: TempDir,
    pub(crate) user: String,
    pub(crate) port: u16,
    pub(crate) host_keys: Vec<String>,
    pub(crate) route: Route,
}

impl Sshd {
    /// The port on 127.0.0.1 where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its first host key as a line of `known_hosts`: host and port, type, key.
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

    /// The account to log in to: the one that started the server.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Its log so far, at level `VERBOSE`.
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
        self.dir().join(HOME)
    }

    /// The direct route to it.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// The route to it by another port, that of a forwarder in front of it. Adds that port to
    /// `known_hosts`.
    pub fn via(&self, port: u16) -> Result<Route> {
        Route::create(self.dir(), &self.user, port, &self.host_keys)
    }

    /// The processes of its open sessions: sshd's own and what runs in them.
    #[must_use]
    pub fn session_pids(&self) -> Vec<u32> {
        descendants(self.process.id())
    }

    /// Kills every open session, like a host that loses power; new ones can be opened.
    pub fn kill_sessions(&self) {
        self.session_pids().into_iter().for_each(kill);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Sessions are in process groups of their own and would outlive the listener; found while
        // it still is their parent.
        let sessions = self.session_pids();
        kill(self.process.id());
        let _ = self.process.wait();
        sessions.into_iter().for_each(kill);
    }
}

/// The name of this process's account.
pub(crate) fn account() -> Result<String> {
    let output = run(Command::new("id").arg("-un"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Makes the directory that sshd confines its unprivileged part to. Usually the start script of
/// the system does; only a server run by root needs it.
pub(crate) fn prepare_run_dir() {
    if rustix::process::getuid().is_root() {
        // Where this fails, sshd's log says what is missing.
        let _ = fs::create_dir_all("/run/sshd");
    }
}
