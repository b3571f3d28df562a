//! What a rebuild may cost. The sender refuses what goes beyond, and so does the agent.

/// Largest plain text, in bytes (64 MiB).
pub const PLAIN_BYTES: u64 = 1 << 26;

/// Largest `.gz`, in bytes (64 MiB).
pub const GZ_BYTES: u64 = 1 << 26;

/// Most tokens in one block: they are held until it is complete. zlib has 16,383, libdeflate and
/// zopfli up to about 100,000.
pub const TOKENS_PER_BLOCK: usize = 1 << 18;

/// Longest gzip header, in bytes: room for a path and a comment.
#[cfg(feature = "split")]
pub const HEADER_BYTES: usize = 16 * 1024;

/// Corrections are at most this share of the `.gz`: with more of them it may as well travel itself.
#[cfg(feature = "split")]
pub const CORRECTION_SHARE: usize = 2;

/// Most links of chains that are followed: so many for each byte of plain text, and some to begin
/// with. zlib's level 9 follows up to 20 for a byte of JavaScript.
pub const WORK_PER_BYTE: u64 = 128;
pub const WORK_AT_LEAST: u64 = 1 << 20;

/// What a block counts for, in links: mostly the making of its codes.
pub const WORK_PER_BLOCK: u64 = 1024;

/// Most bytes of corrections for one file (1 MiB): who rebuilds holds them.
pub const CORRECTION_BYTES: usize = 1 << 20;
