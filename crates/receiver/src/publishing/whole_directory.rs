//! Publishes a whole directory in one step: what stands is cloned beside it, the plan carried out on the clone, and
//! both change places.

use std::io;
use std::path::Path;

use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_tree::OpenTree;

use crate::error::AgentError;
use crate::publishing::clone_tree::clone_tree;
use crate::publishing::exchange;
use crate::publishing::publisher::{Actions, PublishError, Publisher};
use crate::staging::plan_store::PlanStore;
use crate::staging::staging_area::StagingArea;
use crate::survey::index_entry::IndexEntry;
use crate::survey::scan::ScannedEntry;
use crate::work::work_dir::WorkDir;

/// So many files may change between the survey and the cloning before it is better to begin anew.
const MOST_CHANGED: usize = 65_536;

/// Files that are not what they were in the survey, by position in the state, ascending.
#[derive(Debug, Default)]
pub struct ChangedFiles(Vec<u32>);

impl ChangedFiles {
    /// Whether a position is among them.
    pub fn has(&self, position: u32) -> bool {
        self.0.binary_search(&position).is_ok()
    }
}

/// A new tree that is ready for the exchange.
pub struct NewTree {
    tree: OpenTree,
    /// What the user should know, in words.
    pub notices: Vec<String>,
    /// What the index can't rely on.
    pub changed: ChangedFiles,
}

/// Whether anything of a plan happens before pruning.
pub fn is_needed(book: &mut PlanStore) -> Result<bool, AgentError> {
    for position in 0..book.wire_actions.len() {
        let action = book.action(position).map_err(AgentError::WorkFiles)?;
        if action.is_some_and(|action| action.what != ActionKind::Prune) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl NewTree {
    /// Builds the new tree. What can't be finished is removed.
    pub fn build(
        book: &mut PlanStore,
        old: &OpenTree,
        stage: &StagingArea<'_>,
        work: &WorkDir,
    ) -> Result<NewTree, AgentError> {
        let built = NewTree::try_build(book, old, stage, work);
        if built.is_err() {
            // If this fails too, the next push removes it.
            let _ = exchange::remove(work);
        }
        built
    }

    fn try_build(
        book: &mut PlanStore,
        old: &OpenTree,
        stage: &StagingArea<'_>,
        work: &WorkDir,
    ) -> Result<NewTree, AgentError> {
        let count = book.wire_actions.len();
        let mut merge = PlanMerge::new(book).map_err(AgentError::WorkFiles)?;
        let mut too_many = false;
        let root = clone_tree(old.root(), work.dir(), exchange::NAME, &mut |found| {
            too_many = merge.changed.0.len() > MOST_CHANGED;
            if too_many { Err(io::ErrorKind::Other.into()) } else { merge.is_copied(found) }
        });
        let PlanMerge { book, changed, .. } = merge;
        let root = match root {
            Ok(root) => root,
            Err(_) if too_many => return Err(AgentError::Basis),
            Err(error) => return Err(AgentError::Clone(error)),
        };
        let mut tree = OpenTree::new(root);
        let mut publisher = Publisher::new(&mut tree, stage, work);
        publisher.publish(book, count).map_err(AgentError::FileBuilder)?;
        let notices = publisher.notices;
        Ok(NewTree { tree, notices, changed })
    }

    /// Puts the new tree in the place of the old one, which `tree` holds until then, and removes the old one.
    pub fn exchange(
        self,
        tree: &mut OpenTree,
        work: &WorkDir,
        path: &Path,
    ) -> Result<ExchangeResult, AgentError> {
        let NewTree { tree: new, mut notices, changed } = self;
        if let Err(source) = exchange::exchange(work, tree.root(), path) {
            let _ = exchange::remove(work);
            return Err(AgentError::FileBuilder(PublishError { path: ".".into(), source }));
        }
        tree.replace(new);
        if let Err(error) = exchange::remove(work) {
            notices.push(format!("Can't remove the old tree, the next push will try: {error}"));
        }
        Ok(ExchangeResult { notices, changed })
    }
}

/// What is left of a new tree once it is in place.
pub struct ExchangeResult {
    /// What the user should know, in words.
    pub notices: Vec<String>,
    /// What the index can't rely on.
    pub changed: ChangedFiles,
}

/// Goes through plan and survey along with the walk.
struct PlanMerge<'b> {
    book: &'b mut PlanStore,
    /// The position after `action`.
    next_action: u32,
    /// The first action that the walk has not passed.
    action: Option<Action>,
    /// The position after `record`.
    next_record: u32,
    /// The first record that the walk has not passed.
    record: Option<IndexEntry>,
    changed: ChangedFiles,
}

impl<'b> PlanMerge<'b> {
    fn new(book: &'b mut PlanStore) -> io::Result<PlanMerge<'b>> {
        let (action, record) = (book.action(0)?, book.records.get(0)?);
        let (next_action, next_record) = (1, 1);
        let changed = ChangedFiles::default();
        Ok(PlanMerge { book, next_action, action, next_record, record, changed })
    }

    /// Whether the plan is going to change a file in place. Takes note of files that are not what they were.
    fn is_copied(&mut self, found: &ScannedEntry<'_>) -> io::Result<bool> {
        self.compare(found)?;
        let path = &found.entry.path;
        while self.action.as_ref().is_some_and(|action| action.path < *path) {
            self.action = self.book.action(self.next_action)?;
            self.next_action += 1;
        }
        let action = self.action.as_ref().filter(|action| action.path == *path);
        let file = action.and_then(Action::file);
        Ok(file.is_some_and(|file| file.recipe == Recipe::Touch))
    }

    fn compare(&mut self, found: &ScannedEntry<'_>) -> io::Result<()> {
        let path = &found.entry.path;
        while self.record.as_ref().is_some_and(|record| record.entry.path < *path) {
            self.record = self.book.records.get(self.next_record)?;
            self.next_record += 1;
        }
        let record = self.record.as_ref().filter(|record| record.entry.path == *path);
        if record.is_some_and(|record| !is_version(record, found)) {
            self.changed.0.push(self.next_record - 1);
        }
        Ok(())
    }
}

fn is_version(record: &IndexEntry, found: &ScannedEntry<'_>) -> bool {
    record.entry == found.entry && record.version == found.file_metadata.version
}
