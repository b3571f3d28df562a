//! Publishes a whole directory in one step: the destination is cloned, the plan is carried out on
//! the clone, and both are exchanged.

use std::io;
use std::os::fd::OwnedFd;

use assetsync_core::entry::Kind;
use assetsync_core::index::{ActionIndex, EntryIndex, Index};
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_tree::{FileMetadata, OpenTree};

use crate::error::AgentError;
use crate::publishing::actions::Actions;
use crate::publishing::areas::Areas;
use crate::publishing::clone_tree::clone_tree;
use crate::publishing::exchange::{self, ExchangeFailure, ExchangePoint};
use crate::publishing::prepare::prepare;
use crate::publishing::proof::refusals;
use crate::publishing::publisher::{PublishError, Publisher};
use crate::staging::plan_store::PlanStore;
use crate::staging::staging_area::StagingArea;
use crate::survey::index_entry::IndexEntry;
use crate::survey::scan::{ScanError, ScannedEntry, scan_whole};
use crate::work::work_dir::WorkDir;

/// Above this many files changed since the survey, give up and start over.
const MOST_CHANGED: usize = 65_536;

/// Files that changed since the survey: their indices in the state, ascending.
#[derive(Debug, Default)]
pub struct ChangedFiles(Vec<EntryIndex>);

impl ChangedFiles {
    /// Whether an index is among them.
    pub fn has(&self, index: EntryIndex) -> bool {
        self.0.binary_search(&index).is_ok()
    }
}

/// A new tree that is ready for the exchange.
pub struct NewTree {
    tree: OpenTree,
    /// Texts for the user.
    pub notices: Vec<String>,
    /// Files whose digests in the index are outdated.
    pub changed: ChangedFiles,
}

/// Whether a plan has any action before pruning.
pub fn is_needed(plan: &mut PlanStore) -> Result<bool, AgentError> {
    for position in plan.indices() {
        let action = plan.action(position).map_err(AgentError::WorkFiles)?;
        if action.is_some_and(|action| action.what != ActionKind::Prune) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A clone of the destination, on which the plan will be carried out.
pub struct TreeClone {
    root: OwnedFd,
    changed: ChangedFiles,
    /// The destination before and after it was cloned, if it was the same.
    cloned: Option<blake3::Hash>,
}

impl TreeClone {
    /// Clones the destination. An unfinished clone is removed.
    pub fn make(
        plan: &mut PlanStore,
        old: &OpenTree,
        work: &WorkDir,
    ) -> Result<TreeClone, AgentError> {
        let made = TreeClone::try_make(plan, old, work);
        if made.is_err() {
            // If this fails too, the next push removes it.
            let _ = exchange::remove(work);
        }
        made
    }

    /// Whether the destination is as it was when it was cloned.
    fn is_current(&self, old: &OpenTree) -> bool {
        self.cloned.is_some() && state_of(old).ok() == self.cloned
    }

    fn try_make(
        plan: &mut PlanStore,
        old: &OpenTree,
        work: &WorkDir,
    ) -> Result<TreeClone, AgentError> {
        let before = state_of(old).map_err(AgentError::Clone)?;
        let mut merge = PlanMerge::new(plan).map_err(AgentError::WorkFiles)?;
        let mut too_many = false;
        let root = clone_tree(old.root(), work.dir(), &work.tree_name(), &mut |found| {
            too_many = merge.changed.0.len() > MOST_CHANGED;
            if too_many { Err(io::ErrorKind::Other.into()) } else { merge.is_copied(found) }
        });
        let PlanMerge { changed, .. } = merge;
        let root = match root {
            Ok(root) => root,
            Err(_) if too_many => return Err(AgentError::Basis),
            Err(error) => return Err(AgentError::Clone(error)),
        };
        let after = state_of(old).map_err(AgentError::Clone)?;
        Ok(TreeClone { root, changed, cloned: Some(after).filter(|after| *after == before) })
    }
}

/// A hash of what a clone does not share with its tree: names, what they stand for, and metadata of
/// directories and of files that are copied. What is written into a linked file is in both.
fn state_of(tree: &OpenTree) -> Result<blake3::Hash, ScanError> {
    let mut hasher = blake3::Hasher::new();
    scan_whole(tree.root(), &mut |found| {
        let FileMetadata { kind, mode, mtime, version } = found.file_metadata;
        let (time, size) = match kind {
            Kind::Dir => (version.ctime, 0),
            Kind::File { size } => (mtime, size),
            _ => (mtime, 0),
        };
        hasher.update(found.entry.path.as_bytes());
        hasher.update(&[0]);
        hasher.update(&[version.ino, size, time.secs as u64].map(u64::to_le_bytes).concat());
        hasher.update(&[mode, time.nanos].map(u32::to_le_bytes).concat());
        Ok(())
    })?;
    Ok(hasher.finalize())
}

impl NewTree {
    /// Carries out the plan on the clone; on a new one, if the destination has changed since. An
    /// unfinished tree is removed.
    pub fn build(
        clone: Option<TreeClone>,
        plan: &mut PlanStore,
        old: &OpenTree,
        (stage, work): (&StagingArea<'_>, &WorkDir),
    ) -> Result<NewTree, AgentError> {
        let clone = match clone.filter(|clone| clone.is_current(old)) {
            Some(clone) => clone,
            None => {
                exchange::remove(work).map_err(AgentError::WorkFiles)?;
                TreeClone::make(plan, old, work)?
            }
        };
        let built = NewTree::of(clone, plan, stage, work);
        if built.is_err() {
            let _ = exchange::remove(work);
        }
        built
    }

    fn of(
        TreeClone { root, changed, .. }: TreeClone,
        plan: &mut PlanStore,
        stage: &StagingArea<'_>,
        work: &WorkDir,
    ) -> Result<NewTree, AgentError> {
        let mut tree = OpenTree::new(root);
        let notices = publish(plan, &mut tree, stage, work)?;
        Ok(NewTree { tree, notices, changed })
    }

    /// Exchanges the new tree with the old one, which is open as `tree` until then, and removes the
    /// old one.
    pub fn exchange(
        self,
        tree: &mut OpenTree,
        work: &WorkDir,
        point: &ExchangePoint,
    ) -> Result<ExchangeResult, AgentError> {
        let NewTree { tree: new, mut notices, changed } = self;
        if let Err(ExchangeFailure { source, is_live }) =
            exchange::exchange(work, tree.root(), point)
        {
            let error = PublishError::whole(source);
            if is_live {
                let not_put_back = vec!["the directory as a whole, which is new".into()];
                return Err(AgentError::Mixed { error, not_put_back });
            }
            let _ = exchange::remove(work);
            return Err(AgentError::NewTree(error));
        }
        let old = tree.replace(new);
        if let Err(error) = exchange::remove_old(work, old) {
            notices.push(format!("Can't remove the old tree, the next push will try: {error}"));
        }
        Ok(ExchangeResult { notices, changed })
    }
}

/// Carries out a plan on a new tree. Returns texts for the user.
fn publish(
    plan: &mut PlanStore,
    tree: &mut OpenTree,
    stage: &StagingArea<'_>,
    work: &WorkDir,
) -> Result<Vec<String>, AgentError> {
    let mut areas = Areas::new(work, stage);
    let failed = AgentError::NewTree;
    // What is made in its directories gets what those give, as in the old tree.
    let refused = refusals(plan, tree, &mut areas, false);
    let refused = refused.map_err(PublishError::whole).map_err(failed)?;
    if !refused.is_empty() {
        return Err(AgentError::Refused(refused));
    }
    prepare(plan, tree, stage, &mut areas).map_err(failed)?;
    let mut publisher = Publisher::new(tree, stage, &mut areas, work);
    publisher.keeps_replaced = false;
    publisher.publish(plan).map_err(|failure| failed(failure.error))?;
    let notices = publisher.notices;
    areas.remove(tree).map_err(PublishError::whole).map_err(failed)?;
    Ok(notices)
}

/// The result of an exchange.
pub struct ExchangeResult {
    /// Texts for the user.
    pub notices: Vec<String>,
    /// Files whose digests in the index are outdated.
    pub changed: ChangedFiles,
}

/// Merges plan and survey with the walk.
struct PlanMerge<'b> {
    plan: &'b mut PlanStore,
    /// The index of `action`.
    at_action: ActionIndex,
    /// The first action that the walk has not passed.
    action: Option<Action>,
    /// The index of `index_entry`.
    at_entry: EntryIndex,
    /// The first index entry that the walk has not passed.
    index_entry: Option<IndexEntry>,
    changed: ChangedFiles,
}

impl<'b> PlanMerge<'b> {
    fn new(plan: &'b mut PlanStore) -> io::Result<PlanMerge<'b>> {
        let (at_action, at_entry) = (Index::new(0), Index::new(0));
        let (action, index_entry) = (plan.action(at_action)?, plan.index_entries.get(at_entry)?);
        let changed = ChangedFiles::default();
        Ok(PlanMerge { plan, at_action, action, at_entry, index_entry, changed })
    }

    /// Whether the plan changes a file in place. Records files that changed since the survey.
    fn is_copied(&mut self, found: &ScannedEntry<'_>) -> io::Result<bool> {
        self.compare(found)?;
        let path = &found.entry.path;
        while self.action.as_ref().is_some_and(|action| action.path < *path) {
            self.at_action = self.at_action.next();
            self.action = self.plan.action(self.at_action)?;
        }
        let action = self.action.as_ref().filter(|action| action.path == *path);
        let file = action.and_then(Action::file);
        Ok(file.is_some_and(|file| file.recipe == Recipe::Touch))
    }

    fn compare(&mut self, found: &ScannedEntry<'_>) -> io::Result<()> {
        let path = &found.entry.path;
        while self.index_entry.as_ref().is_some_and(|index_entry| index_entry.entry.path < *path) {
            self.at_entry = self.at_entry.next();
            self.index_entry = self.plan.index_entries.get(self.at_entry)?;
        }
        let index_entry =
            self.index_entry.as_ref().filter(|index_entry| index_entry.entry.path == *path);
        if index_entry.is_some_and(|index_entry| !is_version(index_entry, found)) {
            self.changed.0.push(self.at_entry);
        }
        Ok(())
    }
}

fn is_version(index_entry: &IndexEntry, found: &ScannedEntry<'_>) -> bool {
    index_entry.is(&found.entry, found.file_metadata.version)
}
