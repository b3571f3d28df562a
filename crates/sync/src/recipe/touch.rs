//! `Touch`: the content stands there; permission bits or mtime differ.

use super::{Offer, Recipe, Situation};

/// About what an action costs on the wire: a position, bits and a time.
pub(super) const ACTION_BYTES: u64 = 8;

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    situation.standing?;
    situation.same_content.then_some(Offer { recipe: Recipe::Touch, cost: ACTION_BYTES })
}
