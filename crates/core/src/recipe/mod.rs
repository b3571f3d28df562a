//! Recipes: the ways a regular file comes to stand at its path.
//!
//! Each recipe is a file here that says when it applies and what it would cost; the planner takes the
//! cheapest offer. The agent does not choose: it finds the basis, then obeys the content operations
//! ([`crate::protocol::Message`]) until the file has its declared size, and checks its digest.

mod copy;
mod delta;
mod keep;
mod patch;
mod regzip;
mod rewrite;
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
    /// A basis with its old fingerprints rewritten to the new ones is the content.
    Rewrite {
        /// The file that is rewritten.
        basis: Basis,
    },
    /// Ranges of a basis the sender has too, and literal bytes compressed against what was near them.
    Patch {
        /// What the ranges are taken from.
        reference: Reference,
    },
    /// Ranges of a basis and literal bytes, found by rolling checksum.
    Delta {
        /// What the ranges are taken from.
        reference: Reference,
        /// Bytes a block of the basis' signature.
        block_bytes: u32,
    },
    /// A `.gz` made from its plain sibling and corrections.
    Regzip {
        /// The plain sibling.
        plain: Basis,
    },
    /// The whole content travels.
    Whole,
}

/// A file at the destination that another is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The file at this position of the [`State`](crate::state::State).
    Existing(u32),
    /// The leftover at this position of the [`State`](crate::state::State).
    Partial(u32),
    /// The file made by the action at this position of the same plan; that action travels with content.
    Planned(u32),
    /// The content at this position of what is set aside.
    Retained(u32),
}

/// Which recipes may be chosen; `Keep`, `Touch` and `Whole` always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipes {
    /// [`Recipe::Copy`], except from leftovers, which always may.
    pub copy: bool,
    /// [`Recipe::Rewrite`], and rewritten grounds.
    pub rewrite: bool,
    /// [`Recipe::Patch`].
    pub patch: bool,
    /// [`Recipe::Delta`].
    pub delta: bool,
    /// [`Recipe::Regzip`].
    pub regzip: bool,
}

impl Recipes {
    /// All of them.
    pub const ALL: Recipes =
        Recipes { copy: true, rewrite: true, patch: true, delta: true, regzip: true };
    /// Only those that always may.
    pub const NONE: Recipes =
        Recipes { copy: false, rewrite: false, patch: false, delta: false, regzip: false };
    /// Those that pay on the way to a destination that is near, where most bytes travel in less time than it takes to
    /// find out which of them need not.
    pub const FAST_LINK: Recipes = Recipes { copy: true, delta: true, ..Recipes::NONE };

    /// Whether names that succeed others are of any use.
    pub fn use_renames(self) -> bool {
        self.rewrite || self.patch || self.delta
    }

    fn allow(self, recipe: Recipe) -> bool {
        match recipe {
            Recipe::Keep | Recipe::Touch | Recipe::Whole => true,
            Recipe::Copy { from: Basis::Partial(_) } => true,
            Recipe::Copy { .. } => self.copy,
            Recipe::Rewrite { .. } => self.rewrite,
            Recipe::Patch { .. } => self.patch,
            Recipe::Delta { .. } => self.delta,
            Recipe::Regzip { .. } => self.regzip,
        }
    }
}

impl Default for Recipes {
    fn default() -> Recipes {
        Recipes::ALL
    }
}

/// What ranges are copied from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The file.
    pub basis: Basis,
    /// Its content counts as it is after old fingerprints are rewritten to new ones.
    pub rewritten: bool,
}

/// A recipe that would do, and its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecipeCost {
    /// The recipe.
    pub recipe: Recipe,
    /// Bytes that would have to travel, estimated.
    pub cost: u64,
}

/// What is known when the way for one file is chosen.
#[derive(Debug, Clone, Copy)]
pub struct RecipeInputs<'a> {
    /// The file as it is at the source.
    pub local: &'a Entry,
    /// Its size in bytes.
    pub size: u64,
    /// The regular file that stands at the same path of the destination.
    pub existing: Option<&'a Entry>,
    /// Whether content at the same path is the same.
    pub same_content: bool,
    /// Whether its mtime is the same, as finely as the destination keeps it.
    pub same_time: bool,
    /// The same content somewhere else at the destination.
    pub copy_from: Option<Basis>,
    /// The source was given: the content may be nowhere but at the destination.
    pub has_contents_elsewhere: bool,
    /// A basis that is the content once it is rewritten.
    pub rewritten: Option<Basis>,
    /// A ground the sender has compared with the content, and about how many bytes must travel then.
    pub patched: Option<(Reference, u64)>,
    /// The plain sibling of a `.gz`, and the bytes of the corrections.
    pub regzipped: Option<(Basis, u64)>,
    /// A ground whose signature is at hand, and that signature's block size.
    pub signed: Option<(Reference, u32)>,
}

impl Recipe {
    /// The cheapest of the `allowed` recipes for a file.
    pub fn choose(situation: &RecipeInputs<'_>, allowed: Recipes) -> Recipe {
        let offers = [
            keep::offer,
            touch::offer,
            copy::offer,
            rewrite::offer,
            patch::offer,
            delta::offer,
            regzip::offer,
            whole::offer,
        ];
        let offers = offers.iter().filter_map(|offer| offer(situation));
        let offers = offers.filter(|offer| allowed.allow(offer.recipe));
        offers.min_by_key(|offer| offer.cost).map_or(Recipe::Whole, |offer| offer.recipe)
    }

    /// Whether content operations for the file travel.
    pub fn has_content(&self) -> bool {
        matches!(
            self,
            Recipe::Patch { .. } | Recipe::Delta { .. } | Recipe::Regzip { .. } | Recipe::Whole
        )
    }

    /// The recipe's name in reports: lower case, stable.
    pub fn name(&self) -> &'static str {
        match self {
            Recipe::Keep => "keep",
            Recipe::Touch => "touch",
            Recipe::Copy { .. } => "copy",
            Recipe::Rewrite { .. } => "rewrite",
            Recipe::Patch { .. } => "patch",
            Recipe::Delta { .. } => "delta",
            Recipe::Regzip { .. } => "regzip",
            Recipe::Whole => "whole",
        }
    }
}

pub use copy::ContentIndex;
pub use delta::signature_wanted;

/// The digest under which content is looked up at a destination.
pub type ContentKey = (ShortDigest, u64);
