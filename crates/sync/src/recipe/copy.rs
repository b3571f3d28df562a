//! `Copy`: the destination has the same content under another name, or in staging from a push that was
//! interrupted, or will have it from an earlier action of the same plan.

use std::collections::HashMap;

use super::{Basis, ContentKey, Offer, Recipe, Situation};
use crate::entry::Kind;
use crate::state::{Aside, State};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    let from = situation.elsewhere?;
    let cost = match from {
        // What was staged before is never sent again, however small.
        Basis::Leftover(_) => 0,
        // Nothing but leaving it where it stands is better.
        _ if situation.is_given => super::touch::ACTION_BYTES,
        _ => ACTION_BYTES,
    };
    Some(Offer { recipe: Recipe::Copy { from }, cost })
}

/// Where the destination has which content.
#[derive(Debug, Default)]
pub struct Contents(HashMap<ContentKey, Basis>);

impl Contents {
    /// All content a state tells of.
    pub fn of(state: &State) -> Contents {
        let known = state.entries.iter().enumerate().filter_map(|(position, remote)| {
            let Kind::File { size } = remote.entry.kind else { return None };
            Some(((remote.digest?, size), Basis::Known(position as u32)))
        });
        let leftovers = state.leftovers.iter().enumerate().map(|(position, leftover)| {
            ((leftover.digest, leftover.size), Basis::Leftover(position as u32))
        });
        Contents(known.chain(leftovers).collect())
    }

    /// The same, and what is set aside where nothing else will do.
    pub fn with_asides(mut self, asides: &[Aside]) -> Contents {
        for (aside, position) in asides.iter().zip(0..) {
            let key = (aside.digest.short(), aside.size);
            self.0.entry(key).or_insert(Basis::Aside(position));
        }
        self
    }

    /// Where this content is.
    pub fn find(&self, key: ContentKey) -> Option<Basis> {
        self.0.get(&key).copied()
    }

    /// Notes that the action at `position` of the plan brings this content, so that files with the same
    /// content later in the plan copy it. A leftover is moved to its place, so it can be used only once.
    pub fn will_have(&mut self, key: ContentKey, position: u32) {
        if !matches!(self.0.get(&key), Some(Basis::Known(_) | Basis::Planned(_))) {
            self.0.insert(key, Basis::Planned(position));
        }
    }
}
