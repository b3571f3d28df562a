//! `Touch`: the content stands there; permission bits or mtime differ.

use super::{Recipe, RecipeCost, RecipeInputs};

/// About what an action costs on the wire: a position, bits and a time.
pub(super) const ACTION_BYTES: u64 = 8;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    situation.existing?;
    situation.same_content.then_some(RecipeCost { recipe: Recipe::Touch, cost: ACTION_BYTES })
}
