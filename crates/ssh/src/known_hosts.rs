//! known_hosts files: which keys a host is known by (the format is in sshd(8)).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use assetsync_core::text;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::error::TransportError;
use crate::host_config::HostConfig;

/// The meaning of a line's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The key is the host's.
    Trusted,
    /// `@revoked`: the key must never be accepted.
    Revoked,
    /// `@cert-authority`: the key signs host certificates.
    CertAuthority,
}

/// A line that matches a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The meaning of the key.
    pub marker: Marker,
    /// The key's type, such as `ssh-ed25519`.
    pub key_type: String,
    /// The key in wire format.
    pub key: Vec<u8>,
    /// The file of the line.
    pub file: PathBuf,
    /// Its line number, from 1.
    pub line: usize,
}

/// All lines that match a host, over all known_hosts files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownKeys(pub Vec<Entry>);

/// The result of looking up a presented key in the known_hosts files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is the host's key.
    Known,
    /// No key of the host is known.
    Unknown,
    /// Other keys of the host are known, this one among them.
    Changed(&'a Entry),
    /// It is marked as revoked.
    Revoked(&'a Entry),
}

impl KnownKeys {
    /// Reads the lines for `name` (`host` or `[host]:port`); a missing file has none.
    pub fn read(files: &[PathBuf], name: &str) -> Result<Self, TransportError> {
        let mut entries = Vec::new();
        for file in files {
            match fs::read(file) {
                Ok(bytes) => entries.extend(matching(&String::from_utf8_lossy(&bytes), name, file)),
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(source) => return Err(TransportError::Read { path: file.clone(), source }),
            }
        }
        Ok(Self(entries))
    }

    /// Checks a presented key; revocations have precedence.
    pub fn judge(&self, key: &[u8]) -> Verdict<'_> {
        let same = |marker| self.0.iter().find(move |e| e.marker == marker && e.key == key);
        if let Some(entry) = same(Marker::Revoked) {
            return Verdict::Revoked(entry);
        }
        if same(Marker::Trusted).is_some() {
            return Verdict::Known;
        }
        match self.0.iter().find(|entry| entry.marker == Marker::Trusted) {
            Some(entry) => Verdict::Changed(entry),
            None => Verdict::Unknown,
        }
    }

    /// Whether a line has a marker that only the `ssh` program follows.
    pub fn has_markers(&self) -> bool {
        self.0.iter().any(|entry| entry.marker != Marker::Trusted)
    }

    /// Host key algorithms to ask for, of the allowed ones, those of known keys first: another key
    /// of the same host would look like a changed one.
    pub fn algorithms(&self, allowed: Option<&str>) -> Vec<&'static str> {
        const ALL: &[(&str, &[&str])] = &[
            ("ssh-ed25519", &["ssh-ed25519"]),
            ("ecdsa-sha2-nistp256", &["ecdsa-sha2-nistp256"]),
            ("ecdsa-sha2-nistp384", &["ecdsa-sha2-nistp384"]),
            ("ecdsa-sha2-nistp521", &["ecdsa-sha2-nistp521"]),
            ("ssh-rsa", &["rsa-sha2-512", "rsa-sha2-256"]),
        ];
        let is_known = |key_type: &str| {
            self.0.iter().any(|e| e.marker == Marker::Trusted && e.key_type == key_type)
        };
        let (known, other): (Vec<_>, Vec<_>) = ALL.iter().partition(|(name, _)| is_known(name));
        let all = known.into_iter().chain(other).flat_map(|(_, names)| names.iter().copied());
        let is_allowed =
            |name: &str| allowed.is_none_or(|allowed| allowed.split(',').any(|one| one == name));
        all.filter(|name| is_allowed(name)).collect()
    }
}

/// The keys that a host is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownHost {
    /// The lines for its name, with the port if that is not 22.
    pub with_port: KnownKeys,
    /// The lines for its name alone, which count on any port if no other do; none if that is the
    /// same name.
    pub without_port: KnownKeys,
}

impl KnownHost {
    /// Reads the lines of a host.
    pub fn read(config: &HostConfig) -> Result<KnownHost, TransportError> {
        let read = |name: &str| KnownKeys::read(&config.known_hosts, name);
        let is_same = config.port == 22 || config.host_key_alias.is_some();
        Ok(KnownHost {
            with_port: read(&config.lookup_name())?,
            without_port: match is_same {
                true => KnownKeys::default(),
                false => read(&config.hostname.to_lowercase())?,
            },
        })
    }
}

impl Entry {
    /// `file:line`, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", text::path(&self.file), self.line)
    }
}

/// The fingerprint of a key as OpenSSH prints it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The type name at the start of a key in wire format.
pub fn key_type(key: &[u8]) -> &str {
    let name = key
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?));
    name.and_then(|name| str::from_utf8(name).ok()).unwrap_or("unknown")
}

/// The lines of a known_hosts text that match `name`.
pub(crate) fn matching(text: &str, name: &str, file: &Path) -> Vec<Entry> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(index, line)| entry(line, name, file, index + 1)).collect()
}

fn entry(line: &str, name: &str, file: &Path, number: usize) -> Option<Entry> {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let first = words.next().filter(|word| !word.starts_with('#'))?;
    let (marker, patterns) = match first {
        "@revoked" => (Marker::Revoked, words.next()?),
        "@cert-authority" => (Marker::CertAuthority, words.next()?),
        other if other.starts_with('@') => return None,
        patterns => (Marker::Trusted, patterns),
    };
    if !name_matches(patterns, name) {
        return None;
    }
    let key_type = words.next()?.to_owned();
    let key = STANDARD.decode(words.next()?).ok()?;
    Some(Entry { marker, key_type, key, file: file.to_owned(), line: number })
}

/// Whether the first field of a line, plain or hashed, matches a name.
pub(crate) fn name_matches(patterns: &str, name: &str) -> bool {
    match patterns.strip_prefix("|1|") {
        Some(hashed) => hash_matches(hashed, name).unwrap_or(false),
        None => list_matches(patterns, &name.to_lowercase()),
    }
}

fn hash_matches(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = STANDARD.decode(salt).ok()?;
    let hash = STANDARD.decode(hash).ok()?;
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// A negated pattern that matches outweighs all others.
fn list_matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        let pattern = pattern.to_lowercase();
        match pattern.strip_prefix('!') {
            Some(negated) if wildcard(negated.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= wildcard(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// Matches `*` and `?`, in time proportional to the product of the lengths.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJqRpdm5M8oCzT5bnzk4uhCb9EQyPxUUyMvZbTQpQ3Fr";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn key(encoded: &str) -> Vec<u8> {
        STANDARD.decode(encoded).unwrap()
    }

    fn known(text: &str, name: &str) -> KnownKeys {
        KnownKeys(matching(text, name, Path::new("kh")))
    }

    #[test]
    fn verdicts() {
        let text = format!(
            "# comment\n\nhost,other ssh-ed25519 {KEY} me\n@revoked bad ssh-ed25519 {KEY}\n\
             bad ssh-ed25519 {KEY}\n@cert-authority *.ca ssh-ed25519 {OTHER}\n@odd x y z\n"
        );
        assert_eq!(known(&text, "host").judge(&key(KEY)), Verdict::Known);
        assert_eq!(known(&text, "nobody").judge(&key(KEY)), Verdict::Unknown);
        let keys = known(&text, "host");
        let Verdict::Changed(entry) = keys.judge(&key(OTHER)) else { panic!() };
        assert_eq!(entry.place(), "kh:3");
        let keys = known(&text, "bad");
        assert!(matches!(keys.judge(&key(KEY)), Verdict::Revoked(entry) if entry.line == 4));
        let keys = known(&text, "a.ca");
        assert!(keys.has_markers());
        assert_eq!(keys.judge(&key(OTHER)), Verdict::Unknown);
    }

    #[test]
    fn known_algorithms_are_asked_for_first() {
        let keys = known(&format!("host ssh-rsa {KEY}\n"), "host");
        assert_eq!(keys.algorithms(None)[..3], ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
        assert_eq!(KnownKeys::default().algorithms(None)[0], "ssh-ed25519");
        let allowed = Some("ssh-ed25519,rsa-sha2-256,sk-ssh-ed25519@openssh.com");
        assert_eq!(keys.algorithms(allowed), ["rsa-sha2-256", "ssh-ed25519"]);
    }

    #[test]
    fn names_the_key_type() {
        assert_eq!(key_type(&key(KEY)), "ssh-ed25519");
        assert_eq!(key_type(b"\xff\xff\xff\xffx"), "unknown");
        assert_eq!(key_type(b""), "unknown");
    }

    /// Compared with `ssh-keygen -F`, for every pattern and name.
    #[test]
    fn agrees_with_ssh_keygen() {
        let patterns = [
            "host",
            "Host",
            "*.example.org",
            "web?.example.org",
            "!web1.example.org,*.example.org",
            "*.example.org,!web1.example.org",
            "[host]:2222",
            "[*]:2222",
            "[::1]:2222",
            "::1",
            "10.0.0.*",
            "*",
            "?",
            "**",
            "host,",
            ",host",
            "!host",
            "!*,host",
            "h*t",
            "*h*o*s*t*",
            "[host]",
            "host:2222",
            "",
        ];
        let names = [
            "host",
            "HOST",
            "web1.example.org",
            "web2.example.org",
            "web10.example.org",
            "example.org",
            "[host]:2222",
            "[host]:22",
            "[::1]:2222",
            "::1",
            "10.0.0.7",
            "h",
            "ht",
        ];
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known_hosts");
        for pattern in patterns {
            for hashed in [false, true] {
                fs::write(&file, format!("{pattern} ssh-ed25519 {KEY}\n")).unwrap();
                if hashed {
                    let run = Command::new("ssh-keygen").arg("-Hf").arg(&file).output();
                    run.expect("ssh-keygen is missing: apt-get install openssh-client");
                }
                let text = fs::read_to_string(&file).unwrap();
                for name in names {
                    let expected = keygen_finds(&file, name);
                    let ours = !matching(&text, name, &file).is_empty();
                    assert_eq!(ours, expected, "{pattern:?} (hashed: {hashed}) against {name:?}");
                }
            }
        }
    }

    fn keygen_finds(file: &Path, name: &str) -> bool {
        let output = Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(file).output();
        output.unwrap().status.success()
    }
}
