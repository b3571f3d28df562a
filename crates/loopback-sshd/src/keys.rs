//! Key pairs, made by ssh-keygen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{ErrorContext, Result};
use crate::process::{find, run};

/// The file name of the client's private key.
pub(crate) const CLIENT: &str = "client_key";

/// A type of host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519, the fastest to generate.
    Ed25519,
    /// ECDSA on the curve P-256.
    Ecdsa,
    /// RSA of 2048 bits: the fewest that clients accept, as more take long to generate.
    Rsa,
}

impl KeyType {
    /// The options of ssh-keygen.
    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Ed25519 => ["-t", "ed25519", "-C", ""],
            Self::Ecdsa => ["-t", "ecdsa", "-b", "256"],
            Self::Rsa => ["-t", "rsa", "-b", "2048"],
        }
    }

    /// The file name of a host key of this type.
    fn file(self) -> String {
        format!("host_{self:?}").to_lowercase()
    }
}

/// Makes a host key of each type in `dir`; returns where they are.
pub(crate) fn make_host_keys(dir: &Path, types: &[KeyType]) -> Result<Vec<PathBuf>> {
    types
        .iter()
        .map(|&kind| {
            let path = dir.join(kind.file());
            make(&path, kind).map(|()| path)
        })
        .collect()
}

/// Makes the client's key in `dir` and lets it log in.
pub(crate) fn make_client_key(dir: &Path) -> Result<()> {
    let path = dir.join(CLIENT);
    make(&path, KeyType::Ed25519)?;
    let allowed = dir.join("authorized_keys");
    fs::copy(path.with_extension("pub"), &allowed).doing("write", &allowed).map(drop)
}

/// The type and base64 of the public half of the key at `path`.
pub(crate) fn public(path: &Path) -> Result<String> {
    let file = path.with_extension("pub");
    let text = fs::read_to_string(&file).doing("read", &file)?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// Makes one key pair without a passphrase.
fn make(path: &Path, kind: KeyType) -> Result<()> {
    let mut keygen = Command::new(find("ssh-keygen", "openssh-client")?);
    run(keygen.args(["-q", "-N", ""]).args(kind.arguments()).arg("-f").arg(path)).map(drop)
}
