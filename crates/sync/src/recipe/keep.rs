//! `Keep`: the file stands there as it shall be.

use super::{Offer, Recipe, Situation};
use crate::entry::CARRIED_MODE;

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    let standing = situation.standing?;
    let same = situation.same_content
        && situation.same_time
        && standing.mode == situation.local.mode & CARRIED_MODE;
    same.then_some(Offer { recipe: Recipe::Keep, cost: 0 })
}
