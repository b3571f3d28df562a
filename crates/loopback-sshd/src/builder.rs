//! Options of a server, and its start.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Server;
use crate::error::{ErrorContext, Result};
use crate::keys::{self, KeyType};
use crate::launch::launch;
use crate::login_script::LoginScript;
use crate::process::find;
use crate::route::Route;
use crate::server::{HOME, Sshd, account, prepare_run_dir};

/// Options of a server that is to be started.
#[derive(Debug, Clone, Default)]
pub struct SshdBuilder {
    host_keys: Vec<KeyType>,
    config: Vec<String>,
    env: Vec<(String, String)>,
    login: LoginScript,
}

impl Sshd {
    /// Starts a server with an Ed25519 host key and the account's own shell.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Options of a server that is to be started.
    #[must_use]
    pub fn builder() -> SshdBuilder {
        SshdBuilder::default()
    }
}

impl SshdBuilder {
    /// Adds a host key of this type; the first one replaces the default Ed25519.
    #[must_use]
    pub fn host_key(mut self, kind: KeyType) -> Self {
        self.host_keys.push(kind);
        self
    }

    /// Adds lines to `sshd_config`, as `ForceCommand internal-sftp`. They come before all others,
    /// so they win, except that everything from a `Match` on comes last. For the environment use
    /// [`Self::env`]: a `SetEnv` line here would hide it.
    #[must_use]
    pub fn config(mut self, lines: &str) -> Self {
        self.config.extend(lines.lines().map(str::to_owned));
        self
    }

    /// Sets a variable for sessions. `HOME` and `XDG_CACHE_HOME` name the server's own home unless
    /// they are set here, so that no session finds the real one.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes sessions print `bytes` bytes of `#` first, like a login script with output.
    #[must_use]
    pub fn noise(mut self, bytes: usize) -> Self {
        self.login.noise = bytes;
        self
    }

    /// Makes `shell` run the commands, as for an account with that login shell.
    #[must_use]
    pub fn shell(mut self, shell: impl Into<PathBuf>) -> Self {
        self.login.shell = Some(shell.into());
        self
    }

    /// Runs a line of `sh` at the start of each session, like `ulimit -v`.
    #[must_use]
    pub fn prelude(mut self, line: &str) -> Self {
        self.login.prelude.push(line.to_owned());
        self
    }

    /// Starts sessions in the server's own home. sshd starts them in the account's, whatever
    /// `HOME` says, so relative destinations need this.
    #[must_use]
    pub fn in_home(mut self) -> Self {
        self.login.in_home = true;
        self
    }

    /// Starts the server; returns once it listens.
    pub fn start(self) -> Result<Sshd> {
        let program = find("sshd", "openssh-server")?;
        prepare_run_dir();
        let dir = tempfile::Builder::new()
            .prefix("sshd-")
            .tempdir()
            .doing("make a directory in", std::env::temp_dir())?;
        let (this, paths) = self.prepare(dir.path())?;
        let host_keys = paths.iter().map(|path| keys::public(path)).collect::<Result<Vec<_>>>()?;
        let user = account()?;
        let config = |port| this.config_for(port, dir.path(), &paths);
        let (server, port) = launch(&program, dir.path(), config)?;
        let route = Route::create(dir.path(), &user, port, &host_keys)?;
        Ok(Sshd { process: server.release(), dir, user, port, host_keys, route })
    }

    /// Makes keys, home and login script in `dir`; also returns the paths of the host keys.
    fn prepare(mut self, dir: &Path) -> Result<(Self, Vec<PathBuf>)> {
        let home = dir.join(HOME);
        fs::create_dir(&home).doing("make", &home)?;
        let cache = home.join(".cache");
        // Last, as sshd keeps the first value of a variable: one that the caller set wins.
        self = self.env("HOME", &home.display().to_string());
        self = self.env("XDG_CACHE_HOME", &cache.display().to_string());
        if let Some(script) = self.login.install(dir)? {
            self.config.insert(0, format!("ForceCommand \"{}\"", script.display()));
        }
        keys::make_client_key(dir)?;
        let default = [KeyType::Ed25519];
        let types = if self.host_keys.is_empty() { &default[..] } else { &self.host_keys };
        let paths = keys::make_host_keys(dir, types)?;
        Ok((self, paths))
    }

    /// The `sshd_config` of a server at `port`.
    fn config_for(&self, port: u16, dir: &Path, host_keys: &[PathBuf]) -> String {
        Server { port, dir, host_keys, env: &self.env, extra: &self.config }.text()
    }
}
