//! The algorithms of ssh_config, as far as libssh2 has them.

use ssh2::{MethodType, Session};

use crate::host_config::HostConfig;
use crate::known_hosts::KnownKeys;

/// What libssh2 offers to a host, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Algorithms(Vec<(MethodKind, String)>);

/// A kind of algorithm that is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MethodKind {
    Kex,
    Ciphers,
    Macs,
    HostKeys,
}

impl MethodKind {
    fn setting(self) -> &'static str {
        match self {
            MethodKind::Kex => "KexAlgorithms",
            MethodKind::Ciphers => "Ciphers",
            MethodKind::Macs => "MACs",
            MethodKind::HostKeys => "HostKeyAlgorithms",
        }
    }

    /// In both directions, if it has any.
    fn types(self) -> &'static [MethodType] {
        match self {
            MethodKind::Kex => &[MethodType::Kex],
            MethodKind::Ciphers => &[MethodType::CryptCs, MethodType::CryptSc],
            MethodKind::Macs => &[MethodType::MacCs, MethodType::MacSc],
            MethodKind::HostKeys => &[MethodType::HostKey],
        }
    }
}

/// The ciphers where there is no ssh_config, the fastest in libssh2 first.
const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr,\
    aes128-gcm@openssh.com,aes256-gcm@openssh.com";

impl Algorithms {
    /// What both the settings and libssh2 have; the error names a setting of which libssh2 has
    /// nothing.
    pub(crate) fn of(config: &HostConfig, known: &KnownKeys) -> Result<Algorithms, String> {
        let allowed = &config.algorithms;
        let host_keys = known.algorithms(allowed.host_keys.as_deref()).join(",");
        let wanted = [
            (MethodKind::Kex, allowed.kex.as_deref()),
            (MethodKind::Ciphers, Some(allowed.ciphers.as_deref().unwrap_or(CIPHERS))),
            (MethodKind::Macs, allowed.macs.as_deref()),
            (MethodKind::HostKeys, Some(host_keys.as_str())),
        ];
        let session = Session::new().map_err(|error| error.to_string())?;
        let mut chosen = Vec::new();
        for (kind, names) in wanted {
            let Some(names) = names else { continue };
            let supported = session.supported_algs(kind.types()[0]);
            let supported = supported.map_err(|error| error.to_string())?;
            let common: Vec<_> = names.split(',').filter(|name| supported.contains(name)).collect();
            if common.is_empty() {
                return Err(format!("libssh2 has none of the {} of ssh_config", kind.setting()));
            }
            chosen.push((kind, common.join(",")));
        }
        Ok(Algorithms(chosen))
    }

    /// Makes a session offer these and no others.
    pub(crate) fn apply(&self, session: &Session) -> Result<(), ssh2::Error> {
        for (kind, names) in &self.0 {
            for method in kind.types() {
                session.method_pref(*method, names)?;
            }
        }
        Ok(())
    }
}

/// The algorithms that may sign with an RSA key, if they are restricted.
pub(crate) fn rsa_signatures(allowed: Option<&str>) -> Option<String> {
    let is_rsa = |name: &&str| RSA.contains(name);
    Some(allowed?.split(',').filter(is_rsa).collect::<Vec<_>>().join(","))
}

/// Without SHA-1, which libssh2 uses only for hosts that know nothing else.
const RSA: [&str; 2] = ["rsa-sha2-512", "rsa-sha2-256"];

/// Whether a key of this type, as in wire format, may be offered.
pub(crate) fn may_offer(key_type: &str, allowed: Option<&str>) -> bool {
    let Some(allowed) = allowed else { return true };
    let names = if key_type == "ssh-rsa" { &RSA[..] } else { &[key_type] };
    allowed.split(',').any(|one| names.contains(&one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(setting: &str) -> Result<Vec<String>, String> {
        let mut config = HostConfig::default();
        let (name, value) = setting.split_once(' ').unwrap();
        let allowed = &mut config.algorithms;
        let place = match name {
            "kex" => &mut allowed.kex,
            "ciphers" => &mut allowed.ciphers,
            "macs" => &mut allowed.macs,
            _ => &mut allowed.host_keys,
        };
        *place = Some(value.to_owned());
        let chosen = Algorithms::of(&config, &KnownKeys::default())?;
        Ok(chosen.0.into_iter().map(|(_, names)| names).collect())
    }

    #[test]
    fn the_order_of_ssh_config_is_kept_and_what_libssh2_lacks_is_left_out() {
        for (setting, expected) in [
            (
                "kex sntrup761x25519-sha512,ecdh-sha2-nistp256,curve25519-sha256",
                "ecdh-sha2-nistp256,curve25519-sha256",
            ),
            (
                "ciphers aes128-ctr,chacha20-poly1305@openssh.com",
                "aes128-ctr,chacha20-poly1305@openssh.com",
            ),
            ("macs umac-64@openssh.com,hmac-sha2-512", "hmac-sha2-512"),
            ("host rsa-sha2-256", "rsa-sha2-256"),
        ] {
            let chosen = chosen(setting).unwrap();
            assert!(chosen.iter().any(|names| names == expected), "{setting}: {chosen:?}");
        }
    }

    #[test]
    fn a_setting_of_which_libssh2_has_nothing_is_named() {
        for (setting, name) in [
            ("kex sntrup761x25519-sha512", "KexAlgorithms"),
            ("ciphers none-such", "Ciphers"),
            ("macs umac-64@openssh.com", "MACs"),
            ("host ssh-ed25519-cert-v01@openssh.com", "HostKeyAlgorithms"),
        ] {
            assert!(chosen(setting).unwrap_err().contains(name), "{setting}");
        }
    }

    #[test]
    fn keys_are_offered_if_an_algorithm_for_them_is_allowed() {
        for (key, allowed, expected) in [
            ("ssh-rsa", None, true),
            ("ssh-rsa", Some("ssh-ed25519"), false),
            ("ssh-rsa", Some("ssh-ed25519,rsa-sha2-256"), true),
            ("ssh-rsa", Some("ssh-rsa"), false),
            ("ssh-ed25519", Some("ssh-ed25519-cert-v01@openssh.com"), false),
            ("ssh-ed25519", Some("ecdsa-sha2-nistp256,ssh-ed25519"), true),
        ] {
            assert_eq!(may_offer(key, allowed), expected, "{key} {allowed:?}");
        }
        let only = rsa_signatures(Some("ssh-ed25519,rsa-sha2-512"));
        assert_eq!(only.as_deref(), Some("rsa-sha2-512"));
    }
}
