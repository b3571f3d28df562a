//! The credentials in use, renewed before they expire.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use ureq::Agent;

use super::remote;
use super::source::{CredentialSource, Credentials};

/// The credentials in use.
#[derive(Debug)]
pub struct CredentialStore {
    source: CredentialSource,
    current: Mutex<Option<Credentials>>,
}

impl CredentialStore {
    /// Credentials that come from `source`, when first asked for.
    pub fn new(source: CredentialSource) -> CredentialStore {
        CredentialStore { source, current: Mutex::default() }
    }

    /// Credentials that are good for a request now.
    pub fn get(&self, agent: &Agent) -> Result<Credentials, String> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = current.as_ref().filter(|known| known.is_fresh(Timestamp::now())) {
            return Ok(known.clone());
        }
        let fetched = remote::fetch(&self.source, agent)?;
        *current = Some(fetched.clone());
        Ok(fetched)
    }

    /// Forgets the credentials, which a server calls expired, if there may be others.
    pub fn renew(&self, agent: &Agent) -> Result<(), String> {
        if matches!(self.source, CredentialSource::Given(_)) {
            return Err("they were given".to_owned());
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.get(agent).map(drop)
    }
}
