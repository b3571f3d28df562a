//! Publishes a whole directory in one step: what stands is cloned beside it, the plan carried out on the clone, and
//! both change places.

use std::io;
use std::path::Path;

use super::book::Book;
use super::error::AgentError;
use crate::fs::clone::clone_tree;
use crate::fs::exchange;
use crate::fs::publish::{Actions, PublishError, Publisher};
use crate::fs::record::Record;
use crate::fs::scan::Found;
use crate::fs::stage::Stage;
use crate::fs::tree::Tree;
use crate::fs::work::Work;
use crate::plan::{Action, What};
use crate::recipe::Recipe;

/// So many files may change between the survey and the cloning before it is better to begin anew.
const MOST_CHANGED: usize = 65_536;

/// Files that are not what they were in the survey, by position in the state, ascending.
#[derive(Debug, Default)]
pub struct Changed(Vec<u32>);

impl Changed {
    /// Whether a position is among them.
    pub fn has(&self, position: u32) -> bool {
        self.0.binary_search(&position).is_ok()
    }
}

/// A new tree that is ready for the exchange.
pub struct NewTree {
    tree: Tree,
    /// What the user should know, in words.
    pub notices: Vec<String>,
    /// What the index can't rely on.
    pub changed: Changed,
}

/// Whether anything of a plan happens before pruning.
pub fn is_needed(book: &mut Book) -> Result<bool, AgentError> {
    for position in 0..book.orders.len() {
        let action = book.action(position).map_err(AgentError::Own)?;
        if action.is_some_and(|action| action.what != What::Prune) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl NewTree {
    /// Builds the new tree. What can't be finished is removed.
    pub fn build(
        book: &mut Book,
        old: &Tree,
        stage: &Stage<'_>,
        work: &Work,
    ) -> Result<NewTree, AgentError> {
        let built = NewTree::try_build(book, old, stage, work);
        if built.is_err() {
            // If this fails too, the next push removes it.
            let _ = exchange::remove(work);
        }
        built
    }

    fn try_build(
        book: &mut Book,
        old: &Tree,
        stage: &Stage<'_>,
        work: &Work,
    ) -> Result<NewTree, AgentError> {
        let count = book.orders.len();
        let mut merge = Merge::new(book).map_err(AgentError::Own)?;
        let mut too_many = false;
        let root = clone_tree(old.root(), work.dir(), exchange::NAME, &mut |found| {
            too_many = merge.changed.0.len() > MOST_CHANGED;
            if too_many { Err(io::ErrorKind::Other.into()) } else { merge.is_copied(found) }
        });
        let Merge { book, changed, .. } = merge;
        let root = match root {
            Ok(root) => root,
            Err(_) if too_many => return Err(AgentError::Basis),
            Err(error) => return Err(AgentError::Clone(error)),
        };
        let mut tree = Tree::new(root);
        let mut publisher = Publisher::new(&mut tree, stage, work);
        publisher.publish(book, count).map_err(AgentError::Build)?;
        let notices = publisher.notices;
        Ok(NewTree { tree, notices, changed })
    }

    /// Puts the new tree in the place of the old one, which `tree` holds until then, and removes the old one.
    pub fn exchange(self, tree: &mut Tree, work: &Work, path: &Path) -> Result<Live, AgentError> {
        let NewTree { tree: new, mut notices, changed } = self;
        if let Err(source) = exchange::exchange(work, tree.root(), path) {
            let _ = exchange::remove(work);
            return Err(AgentError::Build(PublishError { path: ".".into(), source }));
        }
        tree.replace(new);
        if let Err(error) = exchange::remove(work) {
            notices.push(format!("Can't remove the old tree, the next push will try: {error}"));
        }
        Ok(Live { notices, changed })
    }
}

/// What is left of a new tree once it is in place.
pub struct Live {
    /// What the user should know, in words.
    pub notices: Vec<String>,
    /// What the index can't rely on.
    pub changed: Changed,
}

/// Goes through plan and survey along with the walk.
struct Merge<'b> {
    book: &'b mut Book,
    /// The position after `action`.
    next_action: u32,
    /// The first action that the walk has not passed.
    action: Option<Action>,
    /// The position after `record`.
    next_record: u32,
    /// The first record that the walk has not passed.
    record: Option<Record>,
    changed: Changed,
}

impl<'b> Merge<'b> {
    fn new(book: &'b mut Book) -> io::Result<Merge<'b>> {
        let (action, record) = (book.action(0)?, book.records.get(0)?);
        let (next_action, next_record) = (1, 1);
        let changed = Changed::default();
        Ok(Merge { book, next_action, action, next_record, record, changed })
    }

    /// Whether the plan is going to change a file in place. Takes note of files that are not what they were.
    fn is_copied(&mut self, found: &Found<'_>) -> io::Result<bool> {
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

    fn compare(&mut self, found: &Found<'_>) -> io::Result<()> {
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

fn is_version(record: &Record, found: &Found<'_>) -> bool {
    record.entry == found.entry && record.stamp == found.facts.stamp
}
