//! What a deploy decides once it knows a destination: what is deleted and when, and what is kept there besides.

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;

/// What was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What is deleted.
    pub deletes: Deletes,
    /// Files of which the content is kept before they are replaced or deleted, each with the digest it is expected to
    /// have; one that has another is not kept. At most [`RETAINED_CONTENTS`](assetsync_core::limits::RETAINED_CONTENTS).
    pub to_retain: Vec<(RelPath, Digest)>,
    /// Contents set aside before that go at pruning; those that are not there are gone already.
    pub retained_to_drop: Vec<Digest>,
    /// What becomes of the history; without it it stays as it is.
    pub history: Option<HistoryEdit>,
}

/// What is deleted. What a filter protects never is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deletes {
    /// Nothing.
    #[default]
    None,
    /// All that the source does not have, when the rest is published.
    Extraneous,
    /// These paths, as far as they stand and the source does not have them.
    Listed(Vec<(RelPath, DeleteAt)>),
}

/// When something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteAt {
    /// When all else is in place.
    Publishing,
    /// When the destination is told to prune.
    Pruning,
}

/// A new history, made from the old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEdit {
    /// How many bytes of the old one stay, from its beginning.
    pub keep: u64,
    /// What follows them. Both together are at most [`HISTORY_BYTES`](assetsync_core::limits::HISTORY_BYTES).
    pub append: Vec<u8>,
}

impl Deletes {
    /// Puts paths into tree order; the planner looks them up.
    pub(crate) fn sort(&mut self) {
        if let Deletes::Listed(these) = self {
            these.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    /// When something the source does not have is deleted, if it is.
    pub(crate) fn when(&self, path: &RelPath) -> Option<DeleteAt> {
        match self {
            Deletes::None => None,
            Deletes::Extraneous => Some(DeleteAt::Publishing),
            Deletes::Listed(these) => {
                let found = these.binary_search_by(|(this, _)| this.cmp(path)).ok()?;
                Some(these[found].1)
            }
        }
    }
}

impl HistoryEdit {
    /// The new history, if the old one is as long as it should be.
    pub(crate) fn apply(&self, old: &[u8]) -> Option<Vec<u8>> {
        let kept = old.get(..usize::try_from(self.keep).ok()?)?;
        Some([kept, &self.append].concat())
    }
}
