//! Decides which existing files of a destination are retained, and which are removed.

use std::collections::{BTreeSet, HashMap};

use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::clock::Clocks;
use super::deploys::History;
use super::destination_state::{find, has_content};
use super::policy::{Delete, RetentionPolicy, UnmanagedFiles, first_kept};
use super::siblings::{is_sprockets_manifest, primary};
use super::tree::{Content, Tree, add_parents};

/// Whether an extraneous path is retained or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It stays.
    Retain(RetainReason),
    /// It is removed.
    Remove(RemoveReason),
}

/// Why a path is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainReason {
    /// A kept deploy used it; this is the last one that did.
    Used {
        /// The deploy's position.
        deploy: usize,
    },
    /// It is the `.gz`, `.br`, `.zst` or `.map` of a wanted file whose content does not change.
    Sibling,
    /// It is unmanaged: no deploy put it there.
    Unmanaged,
}

/// Why a path is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoveReason {
    /// A wanted file has this path, or is above or below it.
    Obstruction,
    /// It is a Sprockets manifest beside the wanted one.
    StaleManifest,
    /// It is the `.gz`, `.br`, `.zst` or `.map` of a wanted file whose content changes: it would be
    /// served in its place.
    StaleSibling,
    /// No kept deploy used it.
    Expired,
    /// Everything that is not wanted is removed.
    Mirror,
    /// It is unmanaged, and such files are removed.
    Unmanaged,
    /// A directory in which nothing is left.
    Emptied,
}

impl RemoveReason {
    /// Whether it is removed with publishing. Everything else is removed later, after the restart.
    pub fn at_publishing(self) -> bool {
        matches!(
            self,
            RemoveReason::Obstruction | RemoveReason::StaleManifest | RemoveReason::StaleSibling
        )
    }
}

/// The dispositions of a destination's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// All extraneous paths, in tree order, without directories that stay.
    pub dispositions: Vec<(RelPath, Disposition)>,
    /// The oldest deploy that is kept; what [`History::step`] wants to know.
    pub first_kept: usize,
}

impl Retention {
    /// The removed paths, in tree order.
    pub fn removed(&self) -> impl DoubleEndedIterator<Item = (&RelPath, RemoveReason)> {
        self.dispositions.iter().filter_map(|(path, disposition)| match disposition {
            Disposition::Remove(why) => Some((path, *why)),
            Disposition::Retain(_) => None,
        })
    }

    /// The fate of a path.
    pub fn disposition(&self, path: &RelPath) -> Option<Disposition> {
        let found = self.dispositions.binary_search_by(|(known, _)| known.cmp(path)).ok()?;
        Some(self.dispositions[found].1)
    }
}

/// Decides what is retained and removed when `wanted` becomes live, or already is.
///
/// `existing` has the entries of the destination, in tree order.
pub fn retention(
    history: &History,
    wanted: &Tree,
    existing: &[RemoteEntry],
    policy: &RetentionPolicy,
    now: Clocks,
) -> Retention {
    let first_kept = first_kept(history, wanted, policy, now);
    let judge = RetentionRules::new(history, wanted, existing, policy, first_kept);
    let mut dispositions: Vec<(RelPath, Disposition)> = existing
        .iter()
        .filter(|remote| remote.entry.kind != Kind::Dir)
        .map(|remote| &remote.entry.path)
        .filter(|path| wanted.get(path).is_none())
        .map(|path| (path.clone(), judge.disposition(path)))
        .collect();
    dispositions.extend(judge.directories(&dispositions));
    dispositions.sort_by(|a, b| a.0.cmp(&b.0));
    Retention { dispositions, first_kept }
}

/// The inputs of a decision.
struct RetentionRules<'a> {
    history: &'a History,
    wanted: &'a Tree,
    existing: &'a [RemoteEntry],
    policy: &'a RetentionPolicy,
    first_kept: usize,
    /// By leader, the last deploy that used it or anything that follows it; `None` if all those are
    /// forgotten.
    deployed: HashMap<RelPath, Option<usize>>,
    /// The directories of wanted Sprockets manifests.
    manifests: BTreeSet<Option<RelPath>>,
}

impl<'a> RetentionRules<'a> {
    fn new(
        history: &'a History,
        wanted: &'a Tree,
        existing: &'a [RemoteEntry],
        policy: &'a RetentionPolicy,
        first_kept: usize,
    ) -> RetentionRules<'a> {
        let manifests = wanted.files().iter().filter(|file| is_sprockets_manifest(&file.path));
        let manifests = manifests.map(|file| file.path.parent()).collect();
        let deployed = deployed(history);
        RetentionRules { history, wanted, existing, policy, first_kept, deployed, manifests }
    }

    /// The first rule that applies decides.
    fn disposition(&self, path: &RelPath) -> Disposition {
        let primary = primary(path);
        if self.is_in_the_way(path) {
            return Disposition::Remove(RemoveReason::Obstruction);
        }
        if self.is_stale_manifest(&primary) {
            return Disposition::Remove(RemoveReason::StaleManifest);
        }
        if self.policy.delete == Delete::Mirror {
            return Disposition::Remove(RemoveReason::Mirror);
        }
        if let Some(led) = self.wanted.get(&primary) {
            return self.disposition_of_sibling(path, &primary, &led.content);
        }
        match self.deployed.get(&primary) {
            Some(&Some(deploy)) if deploy >= self.first_kept => {
                Disposition::Retain(RetainReason::Used { deploy })
            }
            Some(_) => Disposition::Remove(RemoveReason::Expired),
            None if self.policy.unmanaged == UnmanagedFiles::Remove => {
                Disposition::Remove(RemoveReason::Unmanaged)
            }
            None => Disposition::Retain(RetainReason::Unmanaged),
        }
    }

    fn is_in_the_way(&self, path: &RelPath) -> bool {
        self.is_below_wanted(path) || self.wanted.has_below(path)
    }

    fn is_below_wanted(&self, path: &RelPath) -> bool {
        let above = std::iter::successors(path.parent(), RelPath::parent);
        above.into_iter().any(|directory| self.wanted.get(&directory).is_some())
    }

    /// An unmanaged manifest competes as well, so it is removed if there is a wanted one.
    fn is_stale_manifest(&self, primary: &RelPath) -> bool {
        is_sprockets_manifest(primary)
            && self.wanted.get(primary).is_none()
            && (self.deployed.contains_key(primary) || self.manifests.contains(&primary.parent()))
    }

    /// The fate of what follows a wanted file. It stays only if that file surely keeps the content
    /// it was made from.
    fn disposition_of_sibling(
        &self,
        path: &RelPath,
        primary: &RelPath,
        wanted: &Content,
    ) -> Disposition {
        let made_from = self.history.last_use(path);
        let made_from = made_from.and_then(|deploy| self.history.content_at(primary, deploy));
        let unchanged = match made_from {
            Some(content) => content == wanted,
            None => {
                let beside = find(self.existing, primary);
                beside.and_then(|remote| has_content(remote, wanted)).unwrap_or(false)
            }
        };
        match unchanged {
            true => Disposition::Retain(RetainReason::Sibling),
            false => Disposition::Remove(RemoveReason::StaleSibling),
        }
    }

    /// The dispositions of removed directories: obstructions, and those that lose all their
    /// entries. Directories that were empty before stay, unless unmanaged files are removed.
    fn directories(&self, dispositions: &[(RelPath, Disposition)]) -> Vec<(RelPath, Disposition)> {
        let mut needed = self.wanted.directories();
        let mut losing = BTreeSet::new();
        for (path, disposition) in dispositions {
            let above = if matches!(disposition, Disposition::Retain(_)) {
                &mut needed
            } else {
                &mut losing
            };
            add_parents(above, path);
        }
        let directories = self.existing.iter().filter(|remote| remote.entry.kind == Kind::Dir);
        let all_go =
            self.policy.delete == Delete::Mirror || self.policy.unmanaged == UnmanagedFiles::Remove;
        let disposition = |path: &RelPath| {
            let in_the_way = self.wanted.get(path).is_some() || self.is_below_wanted(path);
            match in_the_way {
                true => Some(RemoveReason::Obstruction),
                false if needed.contains(path) => None,
                false if losing.contains(path) || all_go => Some(RemoveReason::Emptied),
                false => None,
            }
        };
        let paths = directories.map(|remote| &remote.entry.path);
        paths
            .filter_map(|path| Some((path.clone(), Disposition::Remove(disposition(path)?))))
            .collect()
    }
}

/// All deployed files, by their primary file.
fn deployed(history: &History) -> HashMap<RelPath, Option<usize>> {
    let mut deployed: HashMap<RelPath, Option<usize>> =
        history.orphans.iter().map(|path| (primary(path), None)).collect();
    for span in &history.spans {
        let last = deployed.entry(primary(&span.path)).or_default();
        *last = (*last).max(Some(span.last as usize));
    }
    deployed
}

#[cfg(test)]
mod tests;
