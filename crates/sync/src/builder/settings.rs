//! The settings of a push to several destinations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assetsync_ssh::{Agents, SshOptions};

use crate::destination::Destination;
use crate::error::PushError;
use crate::options::Options;
use crate::placement::{PlacementError, check_placement};
use crate::scan::files::is_file;
use crate::scan::source::Source;
use crate::store::{Store, StoreError};

/// A host that sends nothing for so long is given up, unless the caller says otherwise.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The settings of a [`Push`](super::Push).
#[derive(Debug, Clone)]
pub struct PushSettings {
    /// A directory, or files.
    pub sources: Vec<PathBuf>,
    pub destinations: Vec<Destination>,
    pub options: Options,
    pub agents: Agents,
    pub ssh: SshOptions,
    pub timeout: Duration,
    pub bytes_per_second: Option<u64>,
    pub dry_run: bool,
    pub checksum: bool,
    pub store: Option<PathBuf>,
}

impl PushSettings {
    /// The default settings, and no destination.
    pub fn new(source: PathBuf) -> PushSettings {
        PushSettings {
            sources: vec![source],
            destinations: Vec::new(),
            options: Options::default(),
            agents: assetsync_agents::agents(),
            ssh: SshOptions::default(),
            timeout: TIMEOUT,
            bytes_per_second: None,
            dry_run: false,
            checksum: false,
            store: Store::default_path(),
        }
    }

    /// Refuses destinations that are hardly meant.
    pub fn check_placement(&self) -> Result<(), Box<PlacementError>> {
        let policy = &self.options.policy;
        let source = self.sources.first().map_or(Path::new(""), PathBuf::as_path);
        check_placement(source, &self.destinations, &policy.filter, policy.delete)
    }

    /// Lists the source: a directory, or files.
    pub fn scan(&self) -> Result<Source, PushError> {
        let policy = &self.options.policy;
        Ok(match self.sources.as_slice() {
            [dir] if !is_file(dir) => Source::scan(dir, policy)?,
            _ if policy.delete => return Err(PushError::DeleteWithFiles),
            files => Source::scan_files(files, policy)?,
        })
    }

    /// The store, if there is to be one. A dry run makes none.
    pub fn open_store(&self) -> Result<Option<Store>, StoreError> {
        match self.store.as_deref() {
            None => Ok(None),
            Some(path) if self.dry_run => Store::open_existing(path),
            Some(path) => Store::open(path).map(Some),
        }
    }
}
