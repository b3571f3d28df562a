//! The rolling-checksum delta: which ranges of a basis a new file is made of.
//!
//! A [`Signature`] lists two checksums for each block of the basis: a weak one that rolls, and a truncated
//! MD4. [`Matcher`] rolls over the new file and finds the blocks. Neither is trusted: what is rebuilt must
//! have the whole file's BLAKE3.
//!
//! Where the sender has the basis itself, `exact` needs no signature.
//!
//! Source of the algorithm: A. Tridgell, "Efficient Algorithms for Sorting and Synchronization" (1999),
//! chapter 3; the weak sum is librsync's (`rollsum`, each byte offset by 31).

#[cfg(feature = "sender")]
pub mod exact;
mod index;
mod matcher;
mod rolling;
mod signature;

pub use matcher::{Matcher, Op};
pub use signature::{Signature, SignatureError, SignatureSpec, sign};
