//! `Keep`: the file stands there as it shall be.

use super::{Recipe, RecipeCost, RecipeInputs};
use crate::entry::CARRIED_MODE;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let existing = situation.existing?;
    let same = situation.same_content
        && situation.same_time
        && existing.mode == situation.local.mode & CARRIED_MODE;
    same.then_some(RecipeCost { recipe: Recipe::Keep, cost: 0 })
}
