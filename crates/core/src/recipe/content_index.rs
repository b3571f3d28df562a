//! Where the destination has which content.

use std::collections::HashMap;

use super::{Basis, ContentKey};
use crate::entry::Kind;
use crate::index::{ActionIndex, Index};
use crate::state::{RetainedContent, State};

/// The contents that a destination has, and where: under a name, in the staging area from an
/// interrupted push, retained, or from an earlier action of the same plan.
#[derive(Debug, Default)]
pub struct ContentIndex(HashMap<ContentKey, Basis>);

impl ContentIndex {
    /// All contents of a state whose digest is known.
    pub fn of(state: &State) -> ContentIndex {
        let known = Index::enumerate(&state.entries).filter_map(|(position, remote)| {
            let Kind::File { size } = remote.entry.kind else { return None };
            Some(((remote.digest?, size), Basis::Existing(position)))
        });
        let partials = Index::enumerate(&state.partials)
            .map(|(position, partial)| ((partial.digest, partial.size), Basis::Partial(position)));
        ContentIndex(known.chain(partials).collect())
    }

    /// Adds retained contents that the destination has nowhere else.
    pub fn with_retained(mut self, retained_contents: &[RetainedContent]) -> ContentIndex {
        for (position, content) in Index::enumerate(retained_contents) {
            let key = (content.digest.short(), content.size);
            self.0.entry(key).or_insert(Basis::Retained(position));
        }
        self
    }

    /// Where this content is.
    pub fn find(&self, key: ContentKey) -> Option<Basis> {
        self.0.get(&key).copied()
    }

    /// Adds the content of the action with index `position`, so that later files with the same
    /// content copy it. A partial is moved, not copied, so it can be used only once.
    pub fn add_planned(&mut self, key: ContentKey, position: ActionIndex) {
        if !matches!(self.0.get(&key), Some(Basis::Existing(_) | Basis::Planned(_))) {
            self.0.insert(key, Basis::Planned(position));
        }
    }
}
