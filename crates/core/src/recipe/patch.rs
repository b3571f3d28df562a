//! `Patch`: the sender has the basis too, so it knows the differences byte for byte; what is new is compressed
//! with what stood there before as zstd's prefix (as `zstd --patch-from` does with whole files).

use super::{Recipe, RecipeCost, RecipeInputs};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let (reference, bytes) = situation.patched?;
    Some(RecipeCost { recipe: Recipe::Patch { reference }, cost: ACTION_BYTES + 2 + bytes })
}
