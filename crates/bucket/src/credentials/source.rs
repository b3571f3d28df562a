//! Credentials, and where they come from.

use std::fmt;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

/// Credentials are renewed so long before they expire.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// A key, its secret, and the token that temporary ones have.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The session's token.
    pub token: Option<String>,
    /// When they expire, if they do.
    pub expires: Option<Timestamp>,
}

impl Credentials {
    /// Whether they are still good for what begins now.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now + MARGIN < expires)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// They were given.
    Given(Credentials),
    /// A role, for the token in a file: in Kubernetes and CI.
    WebIdentity(WebIdentity),
    /// A service beside a container.
    Container {
        /// Its URL.
        url: String,
        /// What it wants to be told.
        authorization: Option<String>,
    },
    /// The metadata service of a virtual machine.
    Instance {
        /// Its URL.
        url: String,
    },
}

/// A role that is assumed with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role.
    pub role: String,
    /// What the session is called.
    pub session: String,
    /// The file with the token.
    pub token_file: PathBuf,
    /// The service that gives credentials for it.
    pub service: String,
}

impl fmt::Debug for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CredentialSource::Given(_) => "Given",
            CredentialSource::WebIdentity(_) => "WebIdentity",
            CredentialSource::Container { .. } => "Container",
            CredentialSource::Instance { .. } => "Instance",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let credentials = Credentials {
            key: "AKIDPUBLIC".into(),
            secret: "hush".into(),
            token: Some("tooken".into()),
            expires: None,
        };
        let shown = format!("{credentials:?} {:?}", CredentialSource::Given(credentials.clone()));
        assert!(!["hush", "tooken"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let now = Timestamp::UNIX_EPOCH;
        let until = |minutes| Credentials {
            key: String::new(),
            secret: String::new(),
            token: None,
            expires: Some(now + SignedDuration::from_mins(minutes)),
        };
        assert!(until(6).is_fresh(now) && !until(5).is_fresh(now) && !until(-1).is_fresh(now));
    }
}
