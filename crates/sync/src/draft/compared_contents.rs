//! The contents of compared trees, by position.

use super::contents;
use super::old_contents::OldContents;
use assetsync_core::index::EntryIndex;

use crate::compare::comparison::Comparison;
use crate::compare::source_index::SourceIndex;
use crate::scan::source::Source;

/// A comparison, and where the contents of both its sides come from.
#[derive(Clone, Copy)]
pub struct ComparedContents<'d, 'a> {
    /// The two trees.
    pub comparison: &'d Comparison<'a>,
    /// New contents.
    pub source: &'d Source,
    /// Contents the destination has.
    pub old: &'d dyn OldContents,
}

impl ComparedContents<'_, '_> {
    /// The old content at a position of the state, if it is available and small enough to compare.
    pub fn old_content(&self, known: EntryIndex) -> Option<Vec<u8>> {
        let remote = known.of(&self.comparison.state().entries)?;
        contents::old_content(self.old, remote)
    }

    /// Whether [`old_content`](ComparedContents::old_content) is available.
    pub fn has_old_content(&self, known: EntryIndex) -> bool {
        let remote = known.of(&self.comparison.state().entries);
        remote.is_some_and(|remote| contents::has_old_content(self.old, remote))
    }

    /// Whether the old content at a position of the state is small enough to compare, available or
    /// not.
    pub fn is_old_comparable(&self, known: EntryIndex) -> bool {
        let remote = known.of(&self.comparison.state().entries);
        remote.is_some_and(|remote| contents::comparable_size(remote).is_some())
    }

    /// The new content of a source file, if it is small enough to compare and unchanged.
    pub fn new_content(&self, at: SourceIndex) -> Option<Vec<u8>> {
        contents::new_content(self.source, at.of(self.comparison.source())?)
    }
}
