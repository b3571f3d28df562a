//! `Copy`: the destination has the same content under another name, or in staging from a push that was
//! interrupted, or will have it from an earlier action of the same plan.

use std::collections::HashMap;

use super::{Basis, ContentKey, Recipe, RecipeCost, RecipeInputs};
use crate::entry::Kind;
use crate::state::{RetainedContent, State};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let from = situation.copy_from?;
    let cost = match from {
        // What was staged before is never sent again, however small.
        Basis::Partial(_) => 0,
        // Nothing but leaving it where it stands is better.
        _ if situation.has_contents_elsewhere => super::touch::ACTION_BYTES,
        _ => ACTION_BYTES,
    };
    Some(RecipeCost { recipe: Recipe::Copy { from }, cost })
}

/// Where the destination has which content.
#[derive(Debug, Default)]
pub struct ContentIndex(HashMap<ContentKey, Basis>);

impl ContentIndex {
    /// All content a state tells of.
    pub fn of(state: &State) -> ContentIndex {
        let known = state.entries.iter().enumerate().filter_map(|(position, remote)| {
            let Kind::File { size } = remote.entry.kind else { return None };
            Some(((remote.digest?, size), Basis::Existing(position as u32)))
        });
        let partials = state.partials.iter().enumerate().map(|(position, partial)| {
            ((partial.digest, partial.size), Basis::Partial(position as u32))
        });
        ContentIndex(known.chain(partials).collect())
    }

    /// The same, and what is set aside where nothing else will do.
    pub fn with_retained(mut self, retained_contents: &[RetainedContent]) -> ContentIndex {
        for (retained_contents, position) in retained_contents.iter().zip(0..) {
            let key = (retained_contents.digest.short(), retained_contents.size);
            self.0.entry(key).or_insert(Basis::Retained(position));
        }
        self
    }

    /// Where this content is.
    pub fn find(&self, key: ContentKey) -> Option<Basis> {
        self.0.get(&key).copied()
    }

    /// Notes that the action at `position` of the plan brings this content, so that files with the same
    /// content later in the plan copy it. A leftover is moved to its place, so it can be used only once.
    pub fn add_planned(&mut self, key: ContentKey, position: u32) {
        if !matches!(self.0.get(&key), Some(Basis::Existing(_) | Basis::Planned(_))) {
            self.0.insert(key, Basis::Planned(position));
        }
    }
}
