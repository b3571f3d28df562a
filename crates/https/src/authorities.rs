//! Whose certificates are trusted.

use std::path::{Path, PathBuf};

use assetsync_core::text;
use openssl::error::ErrorStack;
use openssl::ssl::SslConnectorBuilder;
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use openssl_probe::ProbeResult;

/// Where macOS keeps the authorities for programs with OpenSSL.
const MACOS: &str = "/etc/ssl/cert.pem";

/// Certificate authorities that are trusted.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// Those that the system trusts, and those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    System,
    /// Those of a file, and no others.
    Only {
        /// The file.
        file: PathBuf,
        /// What is in it.
        certificates: Vec<X509>,
    },
}

impl Authorities {
    /// Those of a file, and no others.
    pub fn of_file(path: &Path) -> Result<Authorities, String> {
        let shown = text::path(path);
        let pem = std::fs::read(path).map_err(|error| {
            format!("can't read the certificate authorities in {shown}: {error}")
        })?;
        let certificates = X509::stack_from_pem(&pem).map_err(|error| {
            let reason = error.errors().first().and_then(|error| error.reason());
            let reason = text::line(reason.unwrap_or("unknown").as_bytes());
            format!("can't read the certificate authorities in {shown}: {reason}")
        })?;
        match certificates.is_empty() {
            true => Err(format!("there is no certificate in {shown}")),
            false => Ok(Authorities::Only { file: path.to_owned(), certificates }),
        }
    }

    /// Has a client trust these authorities; returns the files and directories they are in.
    pub(crate) fn trust(
        &self,
        client: &mut SslConnectorBuilder,
    ) -> Result<Vec<PathBuf>, ErrorStack> {
        let Authorities::Only { file, certificates } = self else {
            return Ok(trust_system(client, openssl_probe::probe()));
        };
        let mut store = X509StoreBuilder::new()?;
        for certificate in certificates {
            store.add_cert(certificate.clone())?;
        }
        client.set_cert_store(store.build());
        Ok(vec![file.clone()])
    }
}

/// The vendored OpenSSL knows only the directory it was built for, so the system's are looked for.
/// One that can't be read may be followed by one that can.
fn trust_system(client: &mut SslConnectorBuilder, found: ProbeResult) -> Vec<PathBuf> {
    let file =
        found.cert_file.or_else(|| Some(MACOS.into()).filter(|path: &PathBuf| path.exists()));
    let file = file.filter(|file| client.load_verify_locations(Some(file), None).is_ok());
    let dirs = found.cert_dir.into_iter();
    let dirs = dirs.filter(|dir| client.load_verify_locations(None, Some(dir)).is_ok());
    file.into_iter().chain(dirs).collect()
}
