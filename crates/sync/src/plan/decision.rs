//! The decision of a deploy about a destination: what is deleted and when, and what is retained.

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;

/// The decision of a deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// The paths to delete.
    pub deletes: Deletes,
    /// Files of which the content is kept before they are replaced or deleted, each with the digest
    /// it is expected to have; one that has another is not kept. At most
    /// [`RETAINED_CONTENTS`](assetsync_core::limits::RETAINED_CONTENTS).
    pub to_retain: Vec<(RelPath, Digest)>,
    /// Retained contents that are deleted at pruning. Those that do not exist are ignored.
    pub retained_to_drop: Vec<Digest>,
    /// The change of the history, if it changes.
    pub history: Option<HistoryEdit>,
}

/// The paths to delete. Paths that a filter protects never are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deletes {
    /// Nothing.
    #[default]
    None,
    /// All extraneous paths, at publishing.
    Extraneous,
    /// Those of these paths that are extraneous.
    Listed(Vec<(RelPath, DeleteAt)>),
}

/// When something is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteAt {
    /// At publishing, after everything else.
    Publishing,
    /// At pruning.
    Pruning,
}

/// A new history, made from the old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEdit {
    /// How many bytes are kept, from the beginning of the old one.
    pub keep: u64,
    /// The bytes after them. Both together are at most
    /// [`HISTORY_BYTES`](assetsync_core::limits::HISTORY_BYTES).
    pub append: Vec<u8>,
}

impl Deletes {
    /// Puts paths into tree order; the planner looks them up.
    pub(crate) fn sort(&mut self) {
        if let Deletes::Listed(these) = self {
            these.sort_by(|a, b| a.0.cmp(&b.0));
        }
    }

    /// When an extraneous path is deleted, if it is.
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
