//! The inputs of an encoding.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use assetsync_core::index::{ActionIndex, Index};
use assetsync_core::path::RelPath;
use assetsync_core::state::State;

use crate::compare::answers::Answers;
use crate::compare::content_match::SourceEntry;
use crate::compare::source_index::SourceIndex;
use crate::draft::drafts::Drafts;
use crate::draft::old_contents::OldContents;
use crate::scan::source::Source;

/// Everything that the content of a plan is encoded from.
#[derive(Clone, Copy)]
pub struct EncodeInputs<'m> {
    /// The files to send.
    pub source: &'m Source,
    /// The source's entries, in tree order.
    pub entries: &'m [SourceEntry],
    /// The destination's state.
    pub state: &'m State,
    /// Drafts of changed files.
    pub drafts: &'m Drafts,
    /// The destination's answers about its files.
    pub answers: &'m Answers,
    /// Contents the destination had.
    pub old: &'m dyn OldContents,
    /// Is told what deltas send.
    pub deltas: &'m DeltaBytes,
}

/// Bytes of new content of each delta, known once it is encoded here.
#[derive(Debug, Default)]
pub struct DeltaBytes(Mutex<HashMap<ActionIndex, u64>>);

impl DeltaBytes {
    /// Records that the delta of an action has so many bytes of new content.
    pub fn note(&self, position: ActionIndex, bytes: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(position, bytes);
    }

    /// Bytes of new content of the delta of an action.
    pub fn get(&self, position: ActionIndex) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&position).copied()
    }
}

impl<'m> EncodeInputs<'m> {
    /// The position of a path in the source.
    pub fn position_of(&self, path: &RelPath) -> Option<SourceIndex> {
        self.entries.binary_search_by(|local| local.entry.path.cmp(path)).ok().map(Index::at)
    }

    /// The source entry of a path.
    pub fn local(&self, path: &RelPath) -> Option<&'m SourceEntry> {
        self.position_of(path).map(|at| &self.entries[at])
    }
}
