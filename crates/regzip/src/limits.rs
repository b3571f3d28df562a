//! Limits of a rebuild. Both sides refuse files beyond them.

/// Largest plain text, in bytes (64 MiB).
pub const PLAIN_BYTES: u64 = 1 << 26;

/// Largest `.gz`, in bytes (64 MiB).
pub const GZ_BYTES: u64 = 1 << 26;

/// Most tokens in one block: they are buffered until it is complete. zlib has 16,383, libdeflate
/// and zopfli up to about 100,000.
pub const TOKENS_PER_BLOCK: usize = 1 << 18;

/// Longest gzip header, in bytes: room for a path and a comment.
#[cfg(feature = "split")]
pub const HEADER_BYTES: usize = 16 * 1024;

/// Corrections are at most this share of the `.gz`: if they are larger, sending it as it is is as
/// good.
#[cfg(feature = "split")]
pub const CORRECTION_SHARE: usize = 2;

/// Most links of chains that are followed: a number for each byte of plain text, and an initial
/// allowance. zlib's level 9 follows up to 20 for a byte of JavaScript.
pub const WORK_PER_BYTE: u64 = 128;
pub const WORK_AT_LEAST: u64 = 1 << 20;

/// The cost of a block in links: mostly of computing its codes.
pub const WORK_PER_BLOCK: u64 = 1024;

/// Most bytes of corrections for one file (1 MiB): the agent holds them in memory.
pub const CORRECTION_BYTES: usize = 1 << 20;
