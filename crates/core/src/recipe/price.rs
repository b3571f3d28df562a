//! The cost of each recipe, and when it applies.

use super::{Basis, Recipe, Recipes, Reference};
use crate::delta::SignatureSpec;
use crate::entry::{CARRIED_MODE, Entry};

/// Bytes of an action on the wire, about: a path, a digest and an index.
const ACTION_BYTES: u64 = 64;

/// Bytes of a touch on the wire, about: an index, a mode and a mtime.
const TOUCH_BYTES: u64 = 8;

/// Below this size a signature and two round trips through its blocks save nothing over `Whole`.
const SMALLEST_DELTA: u64 = 1536;

/// The limit for compressed content. There a change usually moves every following bit, so that no
/// block matches; in large media and archives it may not, and compared with them a signature is
/// small.
const SMALLEST_COMPRESSED_DELTA: u64 = 1 << 20;

/// The inputs of the choice of a recipe for one file.
#[derive(Debug, Clone, Copy)]
pub struct RecipeInputs<'a> {
    /// The file at the source.
    pub local: &'a Entry,
    /// Its size in bytes.
    pub size: u64,
    /// The regular file at the same path of the destination.
    pub existing: Option<&'a Entry>,
    /// Whether that file has the same content.
    pub same_content: bool,
    /// Whether that file has the same mtime, in the precision of the destination's file system.
    pub same_time: bool,
    /// Where else the destination has the content.
    pub copy_from: Option<Basis>,
    /// Whether the source is a list of entries, so that only the destination may have the content.
    pub has_contents_elsewhere: bool,
    /// A basis that is the content once it is rewritten.
    pub rewritten: Option<Basis>,
    /// A reference that the sender has compared with the content, and about how many bytes a patch
    /// has.
    pub patched: Option<(Reference, u64)>,
    /// The plain sibling of a `.gz`, and the bytes of the corrections.
    pub regzipped: Option<(Basis, u64)>,
    /// A reference whose signature is available, and that signature's block size.
    pub signed: Option<(Reference, u32)>,
}

impl Recipe {
    /// The cheapest of the `allowed` recipes for a file.
    pub fn choose(inputs: &RecipeInputs<'_>, allowed: Recipes) -> Recipe {
        let offers = inputs.offers().filter(|(recipe, _)| allowed.allow(*recipe));
        offers.min_by_key(|(_, cost)| *cost).map_or(Recipe::Whole, |(recipe, _)| recipe)
    }
}

impl RecipeInputs<'_> {
    /// The recipes that apply, and about how many bytes each sends. Of equal ones the first is
    /// taken.
    pub fn offers(&self) -> impl Iterator<Item = (Recipe, u64)> {
        self.prices().into_iter().flatten()
    }

    fn prices(&self) -> [Option<(Recipe, u64)>; 8] {
        // Text shrinks to about a third; a delta sends the changed blocks, its signature is paid
        // for.
        let (whole, delta) = (32 + self.size / 3, 32 + self.size / 8);
        [
            self.is_up_to_date().then_some((Recipe::Keep, 0)),
            self.has_content().then_some((Recipe::Touch, TOUCH_BYTES)),
            self.copy_from.map(|from| (Recipe::Copy { from }, self.copy_cost(from))),
            self.rewritten.map(|basis| (Recipe::Rewrite { basis }, ACTION_BYTES + 1)),
            self.patched
                .map(|(reference, bytes)| (Recipe::Patch { reference }, ACTION_BYTES + 2 + bytes)),
            self.signed
                .map(|(reference, block_bytes)| (Recipe::Delta { reference, block_bytes }, delta)),
            self.regzipped.map(|(plain, bytes)| (Recipe::Regzip { plain }, ACTION_BYTES + bytes)),
            Some((Recipe::Whole, whole)),
        ]
    }

    fn has_content(&self) -> bool {
        self.existing.is_some() && self.same_content
    }

    fn is_up_to_date(&self) -> bool {
        let mode = self.local.mode & CARRIED_MODE;
        self.has_content() && self.same_time && self.existing.is_some_and(|file| file.mode == mode)
    }

    fn copy_cost(&self, from: Basis) -> u64 {
        match from {
            // A partial is never sent again, however small it is.
            Basis::Partial(_) => 0,
            // Only leaving the file as it is is better.
            _ if self.has_contents_elsewhere => TOUCH_BYTES,
            _ => ACTION_BYTES,
        }
    }
}

/// The signature to ask for, if a delta from a basis of `basis_bytes` to a file of `size` bytes can
/// pay.
pub fn signature_wanted(
    basis_bytes: u64,
    size: u64,
    compressed: bool,
    rewritten: bool,
) -> Option<SignatureSpec> {
    let smallest = if compressed { SMALLEST_COMPRESSED_DELTA } else { SMALLEST_DELTA };
    let pays = size.min(basis_bytes) >= smallest;
    pays.then(|| match rewritten {
        true => SignatureSpec::for_rewritten(basis_bytes, size),
        false => SignatureSpec::for_basis(basis_bytes, size),
    })
}

#[cfg(test)]
mod tests {
    use super::signature_wanted;

    #[test]
    fn signatures_are_wanted_if_they_can_pay() {
        let rows = [
            (1535, 4000, false, false),
            (4000, 1535, false, false),
            (1536, 1536, false, true),
            (100_000, 100_000, true, false),
            (2_000_000, 2_000_000, true, true),
        ];
        for (basis, size, compressed, expected) in rows {
            let asked = signature_wanted(basis, size, compressed, false).is_some();
            assert_eq!(asked, expected, "{basis} {size} {compressed}");
        }
    }
}
