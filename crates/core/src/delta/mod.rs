//! Signatures of the rolling-checksum delta: the checksums of the blocks of a basis.
//!
//! A [`Signature`] lists two checksums for each block of the basis: a weak one that rolls, and a
//! truncated MD4. Neither is trusted: the rebuilt file must have the expected BLAKE3.
//!
//! Source of the algorithm: A. Tridgell, "Efficient Algorithms for Sorting and Synchronization"
//! (1999), chapter 3; the weak sum is librsync's (`rollsum`, each byte offset by 31).

mod signature;

pub use signature::{Signature, SignatureError, SignatureSpec, StrongHash, sign};
