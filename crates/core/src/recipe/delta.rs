//! `Delta`: the file as ranges of a basis and literals between them (Tridgell's rsync algorithm, with the
//! signatures of librsync's format as `fast_rsync` computes them).

use super::{Recipe, RecipeCost, RecipeInputs};
use crate::delta::SignatureSpec;

/// Below this a signature and two round trips through its blocks save nothing over `Whole`, in bytes.
const SMALLEST: u64 = 1536;

pub(super) fn offer(situation: &RecipeInputs<'_>) -> Option<RecipeCost> {
    let (reference, block_bytes) = situation.signed?;
    // The signature has been paid for; what remains are the changed blocks.
    let cost = 32 + situation.size / 8;
    Some(RecipeCost { recipe: Recipe::Delta { reference, block_bytes }, cost })
}

/// The same for content that is compressed already, where a change usually moves every following bit and no block
/// matches; but in large media and archives it may not, and there a signature is a small bet.
const SMALLEST_COMPRESSED: u64 = 1 << 20;

/// The signature to ask for, if a delta from a basis of `basis_bytes` to a file of `size` bytes can pay.
pub fn signature_wanted(
    basis_bytes: u64,
    size: u64,
    compressed: bool,
    rewritten: bool,
) -> Option<SignatureSpec> {
    let smallest = if compressed { SMALLEST_COMPRESSED } else { SMALLEST };
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
    fn signatures_are_asked_for_where_they_can_pay() {
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
