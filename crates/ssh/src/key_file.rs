//! Private key files, as far as they can be read without the passphrase.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::TransportError;

const OPENSSH_BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const OPENSSH_END: &str = "-----END OPENSSH PRIVATE KEY-----";
const OPENSSH_MAGIC: &[u8] = b"openssh-key-v1\0";

/// A key file that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    /// The public key in wire format, if it can be read without the passphrase.
    pub(crate) public: Option<Vec<u8>>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The public half of a key in ssh-agent.
    PublicOnly,
    Plain,
    Encrypted,
}

impl KeyFile {
    /// Examines a key file; `None` if it does not exist.
    pub(crate) fn inspect(path: &Path) -> Result<Option<Self>, TransportError> {
        let unreadable = |source| TransportError::Read { path: path.to_owned(), source };
        let text = match fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(unreadable(source)),
        };
        if let Some(public) = public_line(&text) {
            let (path, public) = (path.to_owned(), Some(public));
            return Ok(Some(Self { path, public, kind: Kind::PublicOnly }));
        }
        check_mode(path, &fs::metadata(path).map_err(unreadable)?)?;
        let container = container(&text);
        let kind = match is_encrypted(&text, container.as_deref()) {
            true => Kind::Encrypted,
            false => Kind::Plain,
        };
        let public = container.as_deref().and_then(public_half).or_else(|| public_beside(path));
        Ok(Some(Self { path: path.to_owned(), public, kind }))
    }
}

/// OpenSSH's rule: the user's key must not be readable by others.
fn check_mode(path: &Path, meta: &fs::Metadata) -> Result<(), TransportError> {
    let mode = meta.mode() & 0o7777;
    let ours = meta.uid() == rustix::process::getuid().as_raw();
    match ours && mode & 0o077 != 0 {
        true => Err(TransportError::KeyMode { path: path.to_owned(), mode }),
        false => Ok(()),
    }
}

fn public_line(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_whitespace();
    let name = words.next()?;
    let is_public = ["ssh-", "ecdsa-", "sk-"].iter().any(|start| name.starts_with(start));
    if is_public { STANDARD.decode(words.next()?).ok() } else { None }
}

fn public_beside(path: &Path) -> Option<Vec<u8>> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    public_line(&fs::read_to_string(name).ok()?)
}

/// The decoded body of an OpenSSH private key (PROTOCOL.key), without its magic.
fn container(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(OPENSSH_BEGIN)?;
    let (body, _) = rest.split_once(OPENSSH_END)?;
    let body: String = body.split_whitespace().collect();
    let bytes = STANDARD.decode(body).ok()?;
    bytes.strip_prefix(OPENSSH_MAGIC).map(<[u8]>::to_vec)
}

fn is_encrypted(text: &str, container: Option<&[u8]>) -> bool {
    match container.and_then(string) {
        Some((cipher, _)) => cipher != b"none",
        None => {
            text.contains("BEGIN ENCRYPTED PRIVATE KEY")
                || text.lines().any(|l| l.starts_with("Proc-Type:") && l.contains("ENCRYPTED"))
        }
    }
}

/// Cipher, KDF, KDF options, the number of keys, and then the first public key.
fn public_half(container: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = string(container)?;
    let (_, rest) = string(rest)?;
    let (_, rest) = string(rest)?;
    let (public, _) = string(rest.get(4..)?)?;
    Some(public.to_vec())
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    fn generate(directory: &Path, arguments: &[&str]) -> PathBuf {
        let path = directory.join("key");
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-C", "c", "-f"]).arg(&path).args(arguments);
        let made = command.status().expect("ssh-keygen is missing: apt-get install openssh-client");
        assert!(made.success(), "{arguments:?}");
        path
    }

    #[test]
    fn reads_kind_and_public_key_of_every_format() {
        let cases: &[(&[&str], Kind)] = &[
            (&["-t", "ed25519", "-N", ""], Kind::Plain),
            (&["-t", "ed25519", "-N", "secret"], Kind::Encrypted),
            (&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", ""], Kind::Plain),
            (&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"], Kind::Encrypted),
            (&["-t", "ecdsa", "-m", "PKCS8", "-N", "secret"], Kind::Encrypted),
        ];
        for (arguments, kind) in cases {
            let directory = tempfile::tempdir().unwrap();
            let path = generate(directory.path(), arguments);
            let key = KeyFile::inspect(&path).unwrap().unwrap();
            assert_eq!(key.kind, *kind, "{arguments:?}");
            let beside = public_beside(&path);
            assert!(beside.is_some());
            assert_eq!(key.public, beside, "{arguments:?}");
            let public = KeyFile::inspect(&directory.path().join("key.pub")).unwrap().unwrap();
            assert_eq!((public.kind, public.public), (Kind::PublicOnly, beside));
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_to_run() {
        let directory = tempfile::tempdir().unwrap();
        let path = generate(directory.path(), &["-t", "ed25519", "-N", ""]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let text = KeyFile::inspect(&path).unwrap_err().to_string();
        assert!(text.contains("(mode 0644); run: chmod 600 "), "{text}");
    }

    #[test]
    fn a_missing_file_is_no_key() {
        assert_eq!(KeyFile::inspect(Path::new("/nonexistent/key")).unwrap(), None);
    }
}
