//! `Whole`: the content travels, compressed unless its name says that it is compressed already.

use super::{Offer, Recipe, Situation};

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    // Text shrinks to about a third, which is what a delta competes with.
    Some(Offer { recipe: Recipe::Whole, cost: 32 + situation.size / 3 })
}
