//! `Rewrite`: most changes of a file are other files' new names. Where the old content with old fingerprints
//! rewritten to new ones is the new content, nothing of it travels.

use super::{Recipe, RecipeCost, RecipeInputs};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let basis = situation.rewritten?;
    Some(RecipeCost { recipe: Recipe::Rewrite { basis }, cost: ACTION_BYTES + 1 })
}
