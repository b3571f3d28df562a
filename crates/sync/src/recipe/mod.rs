//! Recipes: the ways a regular file comes to stand at its path.
//!
//! Each recipe is a file here that says when it applies and what it would cost; the planner takes the
//! cheapest offer. The agent does not choose: it finds the basis, then obeys the content operations
//! ([`crate::proto::Message`]) until the file has its declared size, and checks its digest.

mod copy;
mod delta;
mod keep;
mod touch;
mod whole;

use crate::digest::ShortDigest;
use crate::entry::Entry;

/// The way a regular file comes to stand at its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// It stands there already; nothing is done or sent.
    Keep,
    /// The content is there; permission bits or mtime are set.
    Touch,
    /// The destination has the content elsewhere and copies it.
    Copy {
        /// Where the content is.
        from: Basis,
    },
    /// Ranges of a basis and literal bytes, found by rolling checksum.
    Delta {
        /// The file the ranges are taken from.
        basis: Basis,
        /// Bytes a block of the basis' signature.
        block_bytes: u32,
    },
    /// The whole content travels.
    Whole,
}

/// A file at the destination that another is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The file at this position of the [`State`](crate::state::State).
    Known(u32),
    /// The leftover at this position of the [`State`](crate::state::State).
    Leftover(u32),
    /// The file made by the action at this position of the same plan; that action travels with content.
    Planned(u32),
}

/// A recipe that would do, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The recipe.
    pub recipe: Recipe,
    /// Bytes that would have to travel, estimated.
    pub cost: u64,
}

/// What is known when the way for one file is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The file as it is at the source.
    pub local: &'a Entry,
    /// Its size in bytes.
    pub size: u64,
    /// The regular file that stands at the same path of the destination.
    pub standing: Option<&'a Entry>,
    /// Whether content at the same path is the same.
    pub same_content: bool,
    /// Whether its mtime is the same, as finely as the destination keeps it.
    pub same_time: bool,
    /// The same content somewhere else at the destination.
    pub elsewhere: Option<Basis>,
    /// A basis whose signature is at hand, and that signature's block size.
    pub signed: Option<(Basis, u32)>,
}

impl Recipe {
    /// The cheapest recipe for a file.
    pub fn choose(situation: &Situation<'_>) -> Recipe {
        let offers = [keep::offer, touch::offer, copy::offer, delta::offer, whole::offer];
        let offers = offers.iter().filter_map(|offer| offer(situation));
        offers.min_by_key(|offer| offer.cost).map_or(Recipe::Whole, |offer| offer.recipe)
    }

    /// Whether content operations for the file travel.
    pub fn has_content(&self) -> bool {
        matches!(self, Recipe::Delta { .. } | Recipe::Whole)
    }

    /// The recipe's name in reports: lower case, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Recipe::Keep => "keep",
            Recipe::Touch => "touch",
            Recipe::Copy { .. } => "copy",
            Recipe::Delta { .. } => "delta",
            Recipe::Whole => "whole",
        }
    }
}

pub use copy::Contents;
pub use delta::wanted;

/// The digest under which content is looked up at a destination.
pub type ContentKey = (ShortDigest, u64);
