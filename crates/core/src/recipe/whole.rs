//! `Whole`: the content travels, compressed unless its name says that it is compressed already.

use super::{Recipe, RecipeCost, RecipeInputs};

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    // Text shrinks to about a third, which is what a delta competes with.
    Some(RecipeCost { recipe: Recipe::Whole, cost: 32 + situation.size / 3 })
}
