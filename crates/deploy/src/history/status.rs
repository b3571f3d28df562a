//! The status of a destination: the live deploy, kept ones, and drift.

use assetsync_core::digest::Digest;
use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::clock::Clocks;
use super::deploys::{Deploy, History};
use super::destination_state;
use super::policy::RetentionPolicy;
use super::retention::{Disposition, RemoveReason, RetainReason, retention};
use super::rollback::{AvailableContents, ContentLocation};
use super::tree::{HistoryFile, Tree};

/// The status of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a> {
    /// The deploy that is live, with the time it was published.
    pub live: Option<&'a Deploy>,
    /// The kept deploys, oldest first, with the live one.
    pub kept: Vec<Kept<'a>>,
    /// Differences from the live deploy, in tree order.
    pub drift: Vec<(RelPath, Drift)>,
    /// Retained files of earlier deploys.
    pub retained_files: u64,
    /// Their bytes.
    pub retained_bytes: u64,
    /// Files that no deploy put there.
    pub unmanaged_files: u64,
    /// Files that the next pruning removes.
    pub prunable_files: u64,
    /// Sprockets manifests in addition to the live one, in tree order; no deploy put them there.
    pub stale_manifests: Vec<RelPath>,
}

/// A deploy that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept<'a> {
    /// The deploy.
    pub deploy: &'a Deploy,
    /// How many files it had.
    pub files: usize,
    /// The number of files that a rollback would have to send.
    pub missing: usize,
}

/// How a file differs from what was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// It does not exist.
    Missing,
    /// Its content was changed, or it is no file any more.
    Changed,
    /// Its permissions were changed.
    Mode,
}

/// The status of a destination, given its entries (in tree order) and the retained contents.
pub fn status<'a>(
    history: &'a History,
    existing: &[RemoteEntry],
    retained: &[Digest],
    policy: &RetentionPolicy,
    now: Clocks,
) -> Status<'a> {
    let live_tree = history.live().map_or_else(Tree::default, |live| history.tree(live));
    let retention = retention(history, &live_tree, existing, policy, now);
    let mut status = Status {
        live: history.live().map(|live| &history.deploys()[live]),
        kept: kept(history, retention.first_kept, existing, retained),
        drift: drift(&live_tree, existing),
        retained_files: 0,
        retained_bytes: 0,
        unmanaged_files: 0,
        prunable_files: 0,
        stale_manifests: Vec::new(),
    };
    for (path, disposition) in &retention.dispositions {
        status.count(*disposition, destination_state::find(existing, path));
    }
    status
}

impl Status<'_> {
    fn count(&mut self, disposition: Disposition, remote: Option<&RemoteEntry>) {
        let Some(remote) = remote.filter(|remote| remote.entry.kind != Kind::Dir) else { return };
        match disposition {
            Disposition::Retain(RetainReason::Unmanaged) => self.unmanaged_files += 1,
            Disposition::Retain(_) => {
                self.retained_files += 1;
                self.retained_bytes += remote.entry.file_size().unwrap_or(0);
            }
            Disposition::Remove(RemoveReason::StaleManifest) => {
                self.stale_manifests.push(remote.entry.path.clone());
            }
            Disposition::Remove(_) => self.prunable_files += 1,
        }
    }
}

fn kept<'a>(
    history: &'a History,
    first_kept: usize,
    existing: &[RemoteEntry],
    retained: &[Digest],
) -> Vec<Kept<'a>> {
    let stock = AvailableContents::new(existing, retained);
    let first = first_kept.min(history.live().unwrap_or(0));
    let kept = history.deploys().iter().enumerate().skip(first);
    kept.map(|(at, deploy)| {
        let tree = history.tree(at);
        let is_missing = |file: &&HistoryFile| stock.source(file) == ContentLocation::Missing;
        let missing = tree.files().iter().filter(is_missing).count();
        Kept { deploy, files: tree.files().len(), missing }
    })
    .collect()
}

fn drift(live: &Tree, existing: &[RemoteEntry]) -> Vec<(RelPath, Drift)> {
    let drift = |file: &HistoryFile| {
        let Some(remote) = destination_state::find(existing, &file.path) else {
            return Some(Drift::Missing);
        };
        if !destination_state::is_file(remote, file) {
            return Some(Drift::Changed);
        }
        let is_link = matches!(remote.entry.kind, Kind::Symlink { .. });
        (!is_link && remote.entry.mode != file.attributes.mode).then_some(Drift::Mode)
    };
    live.files().iter().filter_map(|file| Some((file.path.clone(), drift(file)?))).collect()
}

#[cfg(test)]
mod tests;
