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
use crate::plan::What;
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
        let mut merge = Merge { book, at_action: 0, at_record: 0, changed: Changed::default() };
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
    at_action: u32,
    at_record: u32,
    changed: Changed,
}

impl Merge<'_> {
    /// Whether the plan is going to change a file in place. Takes note of files that are not what they were.
    fn is_copied(&mut self, found: &Found<'_>) -> io::Result<bool> {
        self.compare(found)?;
        while let Some(action) = self.book.action(self.at_action)? {
            if action.path >= found.entry.path {
                let file = action.file().filter(|_| action.path == found.entry.path);
                return Ok(file.is_some_and(|file| file.recipe == Recipe::Touch));
            }
            self.at_action += 1;
        }
        Ok(false)
    }

    fn compare(&mut self, found: &Found<'_>) -> io::Result<()> {
        while let Some(record) = self.book.records.get(self.at_record)? {
            if record.entry.path >= found.entry.path {
                if record.entry.path == found.entry.path && !is_version(&record, found) {
                    self.changed.0.push(self.at_record);
                }
                return Ok(());
            }
            self.at_record += 1;
        }
        Ok(())
    }
}

fn is_version(record: &Record, found: &Found<'_>) -> bool {
    record.entry == found.entry && record.stamp == found.facts.stamp
}
