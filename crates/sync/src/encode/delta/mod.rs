//! The rolling-checksum delta: which ranges of a basis a new file is made of.
//!
//! A [`Signature`](assetsync_core::delta::Signature) lists two checksums for each block of the
//! basis: a weak one that rolls, and a truncated MD4. [`Matcher`] rolls over the new file and finds
//! the blocks. Neither is trusted: what is rebuilt must have the whole file's BLAKE3.
//!
//! Source of the algorithm: A. Tridgell, "Efficient Algorithms for Sorting and Synchronization"
//! (1999), chapter 3; the weak sum is librsync's (`rollsum`, each byte offset by 31).

mod block_index;
mod matcher;
mod rolling;

pub use matcher::{Matcher, Op, Search};
