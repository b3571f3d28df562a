//! Chooses the transport: libssh2 by default, the `ssh` program if libssh2 can't do what the user's
//! configuration needs.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use assetsync_core::text;

use crate::algorithms::Algorithms;
use crate::host_config::HostConfig;
use crate::known_hosts::KnownKeys;

/// The chosen transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// In-process libssh2.
    Ssh2,
    /// The `ssh` program.
    OpenSsh {
        /// Why, for `-v`.
        why: String,
    },
}

/// Findings of the file system, in addition to the host's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Certificates beside keys (`KEY-cert.pub`).
    pub certificates: Vec<PathBuf>,
    /// Keys on hardware tokens (`sk-...`).
    pub hardware_keys: Vec<PathBuf>,
    /// Whether known_hosts has `@revoked` or `@cert-authority` lines for the host.
    pub marked_host_keys: bool,
    /// A setting of which libssh2 has nothing.
    pub lacking: Option<String>,
    /// Whether a master connection listens on the control path.
    pub master: bool,
}

/// Decides from settings and facts only.
pub fn choose(config: &HostConfig, facts: &Facts) -> Choice {
    match reason(config, facts) {
        Some(why) => Choice::OpenSsh { why },
        None => Choice::Ssh2,
    }
}

fn reason(config: &HostConfig, facts: &Facts) -> Option<String> {
    if let Some(setting) = config.beyond_libssh2.first() {
        return Some(format!("ssh_config has {setting}"));
    }
    if let Some(why) = &facts.lacking {
        return Some(why.clone());
    }
    if facts.master {
        return Some("a master connection is open".into());
    }
    if facts.marked_host_keys {
        return Some("known_hosts has @revoked or @cert-authority lines for the host".into());
    }
    if let Some(path) = facts.certificates.first() {
        return Some(format!("there is a certificate {}", text::path(path)));
    }
    let path = facts.hardware_keys.first()?;
    Some(format!("{} is a hardware key", text::path(path)))
}

impl Facts {
    /// Examines key files, known hosts and the control socket. `plain` are the lines for the host's
    /// name without its port.
    pub(crate) fn gather(config: &HostConfig, known: &KnownKeys, plain: &KnownKeys) -> Self {
        let keys = config.identity_files.iter().filter(|path| path.exists());
        let beside = |path: &Path, suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let (mut certificates, mut hardware_keys) = (Vec::new(), Vec::new());
        for key in keys {
            certificates.extend(Some(beside(key, "-cert.pub")).filter(|path| path.exists()));
            let public = fs::read_to_string(beside(key, ".pub")).unwrap_or_default();
            if public.starts_with("sk-") {
                hardware_keys.push(key.clone());
            }
        }
        Self {
            certificates,
            hardware_keys,
            marked_host_keys: known.has_markers() || plain.has_markers(),
            lacking: Algorithms::of(config, known).err(),
            master: config.control_path.as_deref().is_some_and(is_socket),
        }
    }
}

fn is_socket(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_chooses_the_ssh_program_and_is_named() {
        let plain = HostConfig::default();
        assert_eq!(choose(&plain, &Facts::default()), Choice::Ssh2);
        let jump = HostConfig { beyond_libssh2: vec!["proxyjump b".into()], ..plain.clone() };
        let some = || vec![PathBuf::from("/k")];
        let cases = [
            (jump, Facts::default(), "proxyjump b"),
            (plain.clone(), Facts { master: true, ..Facts::default() }, "master"),
            (plain.clone(), Facts { marked_host_keys: true, ..Facts::default() }, "@revoked"),
            (
                plain.clone(),
                Facts { lacking: Some("no MACs".into()), ..Facts::default() },
                "no MACs",
            ),
            (plain.clone(), Facts { certificates: some(), ..Facts::default() }, "certificate /k"),
            (plain, Facts { hardware_keys: some(), ..Facts::default() }, "/k is a hardware key"),
        ];
        for (config, facts, expected) in cases {
            let Choice::OpenSsh { why } = choose(&config, &facts) else { panic!("{expected}") };
            assert!(why.contains(expected), "{why}");
        }
    }
}
