//! `Regzip`: a `.gz` whose plain sibling is at the destination is made from it once more; only what its
//! compressor did otherwise than expected travels.

use super::{Offer, Recipe, Situation};

/// About what the action costs on the wire: a path, a digest and a position.
const ACTION_BYTES: u64 = 64;

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    let (plain, bytes) = situation.regzipped?;
    Some(Offer { recipe: Recipe::Regzip { plain }, cost: ACTION_BYTES + bytes })
}
