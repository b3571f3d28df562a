//! `Regzip`: a `.gz` whose plain sibling is at the destination is made from it once more; only what its
//! compressor did otherwise than expected travels.

use super::{Recipe, RecipeCost, RecipeInputs};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let (plain, bytes) = situation.regzipped?;
    Some(RecipeCost { recipe: Recipe::Regzip { plain }, cost: ACTION_BYTES + bytes })
}
