//! `Delta`: the file as ranges of a basis and literals between them (Tridgell's rsync algorithm, with the
//! signatures of librsync's format as `fast_rsync` computes them).

use super::{Offer, Recipe, Situation};
use crate::delta::SignatureSpec;

/// Below this a signature and two round trips through its blocks save nothing over `Whole`, in bytes.
const SMALLEST: u64 = 1536;

pub(super) fn offer(situation: &Situation<'_>) -> Option<Offer> {
    let (basis, block_bytes) = situation.signed?;
    // The signature has been paid for; what remains are the changed blocks.
    let cost = 32 + situation.size / 8;
    Some(Offer { recipe: Recipe::Delta { basis, block_bytes }, cost })
}

/// What a sender wants to know of a file at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The signature to ask for, if a delta against it can pay.
    pub signature: Option<SignatureSpec>,
}

/// Whether a delta from a basis of `basis_bytes` to a file of `size` bytes can pay, and with which signature.
///
/// `compressed` says that the content is compressed already: there a change moves every following bit, and
/// no block matches.
pub fn wanted(basis_bytes: u64, size: u64, compressed: bool) -> Wanted {
    let pays = !compressed && size.min(basis_bytes) >= SMALLEST;
    Wanted { signature: pays.then(|| SignatureSpec::for_basis(basis_bytes, size)) }
}
