//! Logging in with keys: ssh-agent first, then key files.

use std::env;
use std::path::PathBuf;

use assetsync_core::text;
use ssh2::{ErrorCode, MethodType, Session};

use crate::algorithms::{may_offer, rsa_signatures};
use crate::error::{LoginMethods, TransportError};
use crate::host_config::HostConfig;
use crate::key_file::{KeyFile, Kind};
use crate::known_hosts::{fingerprint, key_type};
use crate::ssh_options::{Prompt, SshOptions};
use crate::watchdog::Watchdog;

/// Servers disconnect after `MaxAuthTries` (6) keys, and penalise the address.
const MAX_ATTEMPTS: usize = 5;
/// A wrong passphrase is detected locally, before anything is sent.
const PASSPHRASE_TRIES: usize = 3;
/// libssh2's code for a key file it cannot read, also when the passphrase is wrong.
const KEY_FILE_ERROR: ErrorCode = ErrorCode::Session(-16);

/// One login: its settings, and the result of each key that was tried.
pub(crate) struct Login<'a> {
    pub(crate) session: &'a Session,
    pub(crate) config: &'a HostConfig,
    pub(crate) options: &'a SshOptions,
    pub(crate) prompt: &'a dyn Prompt,
    watchdog: &'a Watchdog,
    pub(crate) tried: Vec<String>,
    offered: Vec<Vec<u8>>,
    locked: Option<PathBuf>,
}

impl<'a> Login<'a> {
    pub(crate) fn new(
        session: &'a Session,
        config: &'a HostConfig,
        options: &'a SshOptions,
        prompt: &'a dyn Prompt,
        watchdog: &'a Watchdog,
    ) -> Self {
        let (tried, offered, locked) = (Vec::new(), Vec::new(), None);
        Self { session, config, options, prompt, watchdog, tried, offered, locked }
    }

    /// Tries every key that may be used; the error lists them.
    pub(crate) fn run(mut self) -> Result<(), TransportError> {
        let files = self.key_files()?;
        let allowed = self.config.algorithms.user_keys.as_deref();
        if let Some(signatures) = rsa_signatures(allowed).filter(|names| !names.is_empty()) {
            let _ = self.session.method_pref(MethodType::SignAlgo, &signatures);
        }
        if self.with_agent(&files) || self.with_files(&files) {
            return Ok(());
        }
        Err(match self.locked.take() {
            Some(path) => TransportError::KeyEncrypted { path },
            None => TransportError::Auth {
                host: self.config.hostname.clone(),
                user: self.config.user.clone(),
                others: self.other_methods(),
                tried: self.tried,
            },
        })
    }

    /// What else the host offers, after what was tried. A host that has closed the connection
    /// offers nothing more.
    fn other_methods(&self) -> LoginMethods {
        self.watchdog.restart();
        let offered = self.session.auth_methods(&self.config.user);
        offered.map(LoginMethods::parse).unwrap_or_default()
    }

    /// A key given by the caller must be usable; a configured one may be missing or unfit.
    fn key_files(&mut self) -> Result<Vec<KeyFile>, TransportError> {
        let mut files = Vec::new();
        for path in &self.config.identity_files {
            let given = self.options.identities.contains(path);
            match KeyFile::inspect(path) {
                Ok(Some(file)) => files.push(file),
                Ok(None) if given => {
                    let source = std::io::ErrorKind::NotFound.into();
                    return Err(TransportError::Read { path: path.clone(), source });
                }
                Ok(None) => {}
                Err(error) if given => return Err(error),
                Err(error) => self.tried.push(error.to_string()),
            }
        }
        Ok(files)
    }

    fn with_agent(&mut self, files: &[KeyFile]) -> bool {
        match self.agent_keys(files) {
            Ok(done) => done,
            Err(error) => {
                self.tried.push(format!("ssh-agent: {}", text::line(error.message())));
                false
            }
        }
    }

    fn agent_keys(&mut self, files: &[KeyFile]) -> Result<bool, ssh2::Error> {
        let Some(socket) = agent_socket(self.config) else { return Ok(false) };
        let mut agent = self.session.agent()?;
        agent.set_identity_path(&socket)?;
        agent.connect()?;
        agent.list_identities()?;
        let is_configured =
            |key: &ssh2::PublicKey| files.iter().any(|f| f.public.as_deref() == Some(key.blob()));
        let keys = agent.identities()?;
        let (first, rest): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_configured);
        let rest = if self.config.identities_only { Vec::new() } else { rest };
        for key in first.iter().chain(&rest) {
            if self.offered.len() >= MAX_ATTEMPTS {
                break;
            }
            let shown = format!("agent key {}", fingerprint(key.blob()));
            if !self.may_offer(&shown, Some(key.blob())) {
                continue;
            }
            self.offered.push(key.blob().to_vec());
            self.watchdog.restart();
            match agent.userauth(&self.config.user, key) {
                Ok(()) => return Ok(true),
                Err(e) => self.note(&shown, &e),
            }
        }
        Ok(false)
    }

    fn with_files(&mut self, files: &[KeyFile]) -> bool {
        files.iter().any(|file| self.with_file(file))
    }

    fn with_file(&mut self, file: &KeyFile) -> bool {
        let offered = file.public.as_ref().is_some_and(|key| self.offered.contains(key));
        if offered || self.offered.len() >= MAX_ATTEMPTS {
            return false;
        }
        if !self.may_offer(&text::path(&file.path), file.public.as_deref()) {
            return false;
        }
        match file.kind {
            Kind::Plain => self.offer(file, None).is_ok(),
            Kind::Encrypted => self.unlock(file),
            Kind::PublicOnly => {
                self.tried.push(format!("{} (ssh-agent does not hold it)", text::path(&file.path)));
                false
            }
        }
    }

    fn unlock(&mut self, file: &KeyFile) -> bool {
        if !self.options.interactive {
            self.locked.get_or_insert_with(|| file.path.clone());
            return false;
        }
        for _ in 0..PASSPHRASE_TRIES {
            self.watchdog.pause();
            let Some(passphrase) = self.prompt.passphrase(&file.path) else { break };
            match self.offer(file, Some(&passphrase)) {
                Ok(()) => return true,
                Err(e) if e.code() == KEY_FILE_ERROR => {}
                Err(_) => return false,
            }
        }
        false
    }

    fn offer(&mut self, file: &KeyFile, passphrase: Option<&str>) -> Result<(), ssh2::Error> {
        let user = &self.config.user;
        self.watchdog.restart();
        let result = self.session.userauth_pubkey_file(user, None, &file.path, passphrase);
        if let Err(error) = &result {
            if error.code() != KEY_FILE_ERROR {
                self.offered.push(file.public.clone().unwrap_or_default());
            }
            self.note(&text::path(&file.path), error);
        }
        result
    }

    /// Whether PubkeyAcceptedAlgorithms allows a key. One of a type that can't be told is offered
    /// if keys of any common type may be.
    fn may_offer(&mut self, shown: &str, public: Option<&[u8]>) -> bool {
        const COMMON: [&str; 3] = ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256"];
        let allowed = self.config.algorithms.user_keys.as_deref();
        let is_allowed = match public {
            Some(key) => may_offer(key_type(key), allowed),
            None => COMMON.iter().all(|common| may_offer(common, allowed)),
        };
        if !is_allowed {
            self.tried.push(format!("{shown} (PubkeyAcceptedAlgorithms does not allow it)"));
        }
        is_allowed
    }

    fn note(&mut self, key: &str, error: &ssh2::Error) {
        self.tried.push(format!("{key} ({})", text::line(error.message())));
    }
}

/// The agent's socket as `IdentityAgent` and the environment name it.
fn agent_socket(config: &HostConfig) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    match config.identity_agent.as_deref() {
        None | Some("SSH_AUTH_SOCK") => variable("SSH_AUTH_SOCK"),
        Some("none") => None,
        Some(name) if name.starts_with('$') => variable(name.trim_matches(['$', '{', '}'])),
        Some(path) => Some(path.into()),
    }
}
