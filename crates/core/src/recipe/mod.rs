//! Recipes: how a file's content gets to the destination.
//!
//! `price` has what each recipe costs and when it applies; the planner takes the cheapest one.
//! The agent does not choose: it opens the basis, then follows the content operations
//! ([`ToAgent`](crate::protocol::ToAgent)) until the file has its declared size, and checks its
//! digest.

mod content_index;
mod price;

pub use content_index::ContentIndex;
pub use price::{RecipeInputs, signature_wanted};

use crate::digest::ShortDigest;
use crate::index::{ActionIndex, EntryIndex, PartialIndex, RetainedIndex};

/// How the content of a regular file gets to its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recipe {
    /// The file is up to date; nothing is done or sent.
    Keep,
    /// The content is up to date; permission bits or mtime are set.
    Touch,
    /// The destination has the content elsewhere and copies it.
    Copy {
        /// Where the content is.
        from: Basis,
    },
    /// The basis is the content once its old fingerprints are rewritten to the new ones.
    Rewrite {
        /// The file that is rewritten.
        basis: Basis,
    },
    /// Ranges of a reference that the sender has too, and literals that are compressed with the old
    /// bytes near them as prefix (as `zstd --patch-from` does with whole files).
    Patch {
        /// The file that ranges are copied from.
        reference: Reference,
    },
    /// Ranges of a reference and literals, found by rolling checksum: Tridgell's rsync algorithm,
    /// with the signatures of librsync's format as `fast_rsync` computes them.
    Delta {
        /// The file that ranges are copied from.
        reference: Reference,
        /// Bytes per block of the signature.
        block_bytes: u32,
    },
    /// A `.gz` that is compressed again from its plain sibling, and corrections: what its
    /// compressor did differently.
    Regzip {
        /// The plain sibling.
        plain: Basis,
    },
    /// All of the content is sent, compressed unless its name says that it is compressed already.
    Whole,
}

/// A file at the destination that another one is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The file with this index in the [`State`](crate::state::State).
    Existing(EntryIndex),
    /// The partial with this index in the [`State`](crate::state::State).
    Partial(PartialIndex),
    /// The file of the action with this index in the same plan; that action sends content.
    Planned(ActionIndex),
    /// The retained content with this index.
    Retained(RetainedIndex),
}

/// Which recipes are allowed; `Keep`, `Touch` and `Whole` always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipes {
    /// [`Recipe::Copy`]; copying a partial is always allowed.
    pub copy: bool,
    /// [`Recipe::Rewrite`], and rewritten references.
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
    /// Only those that are always allowed.
    pub const NONE: Recipes =
        Recipes { copy: false, rewrite: false, patch: false, delta: false, regzip: false };
    /// Those that pay on a fast link, where sending most bytes takes less time than finding out
    /// which of them need not be sent.
    pub const FAST_LINK: Recipes = Recipes { copy: true, delta: true, ..Recipes::NONE };

    /// Whether any of them uses renames.
    pub fn use_renames(self) -> bool {
        self.rewrite || self.patch || self.delta
    }

    /// Whether a recipe may be used.
    pub fn allow(self, recipe: Recipe) -> bool {
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

/// The file that ranges are copied from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The file.
    pub basis: Basis,
    /// Whether old fingerprints in it are rewritten to new ones first.
    pub rewritten: bool,
}

impl Recipe {
    /// Whether content operations are sent for the file.
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

/// Key of a content: its short digest and its size.
pub type ContentKey = (ShortDigest, u64);
