//! Why there is no connection by TLS.

use std::path::PathBuf;

use assetsync_core::text;
use openssl::error::ErrorStack;
use openssl::ssl::{self, MidHandshakeSslStream};
use openssl::x509::X509VerifyResult;

/// Why there is no connection by TLS. It is within [`ureq::Error::Other`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsError {
    /// The server's certificate is not trusted, or is not for this server.
    #[error("the server's certificate was refused: {reason} ({})", named(.trusted))]
    Certificate {
        /// What is wrong with it.
        reason: &'static str,
        /// The files and directories of the authorities that are trusted.
        trusted: Vec<PathBuf>,
    },
    /// The two sides do not come to terms.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// This side can't be set up.
    #[error("can't set up TLS: {0}")]
    Setup(ErrorStack),
}

/// Where the authorities are, or what to do if there are none.
fn named(trusted: &[PathBuf]) -> String {
    let paths: Vec<String> = trusted.iter().map(|path| text::path(path)).collect();
    match paths.is_empty() {
        true => "found no certificate authorities on this machine; set SSL_CERT_FILE to a file \
                 that contains them"
            .to_owned(),
        false => format!("the trusted authorities are those in {}", paths.join(" and ")),
    }
}

/// Why a handshake ended: by an error of the connection below it, or of TLS.
pub(crate) fn of_handshake<S>(ended: MidHandshakeSslStream<S>, trusted: &[PathBuf]) -> ureq::Error {
    let verified = ended.ssl().verify_result();
    let error = match ended.into_error().into_io_error() {
        Ok(error) => return error.into(),
        Err(error) => error,
    };
    let error = match verified {
        X509VerifyResult::OK => TlsError::Handshake(reason_of(&error)),
        refused => {
            TlsError::Certificate { reason: refused.error_string(), trusted: trusted.to_vec() }
        }
    };
    ureq::Error::Other(error.into())
}

/// The reason alone: OpenSSL's texts name its own source files, too.
fn reason_of(error: &ssl::Error) -> String {
    let first = error.ssl_error().and_then(|stack| stack.errors().first());
    match first.and_then(|first| first.reason()) {
        Some(reason) => reason.to_owned(),
        None => "the server closed the connection".to_owned(),
    }
}

/// What went wrong, in a line.
pub fn reason(error: &ureq::Error) -> String {
    let reason = match error {
        ureq::Error::HostNotFound => "the name of the server is not known".to_owned(),
        ureq::Error::Other(inner) => inner.to_string(),
        other => other.to_string(),
    };
    text::line(reason.as_bytes())
}
