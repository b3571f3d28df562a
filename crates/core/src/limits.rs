//! All limits on what the other side may send.
//!
//! They are fixed at compile time: no message can raise them, and there is no "unlimited". A number
//! over its limit is refused before anything is allocated, indexed or looped over.

/// Version of the wire format. Both sides must have the same one.
pub const PROTOCOL_VERSION: u16 = 11;

/// Longest first line (the hexadecimal *Hello*), in bytes, with its newline. It fits into a pipe,
/// so that writing it never waits for a shell that is still starting.
pub const HELLO_LINE_BYTES: usize = 48 * 1024;

/// Longest *Hello* line that is also a word of the command line, in bytes.
pub const HELLO_WORD_BYTES: usize = 4 * 1024;

/// Longest description of who pushes, in bytes.
pub const WHO_BYTES: usize = 255;

/// Most names in a first line; each takes at least two of its bytes.
pub const NAMED_FILES: u64 = 10_000;

/// Highest number of a push among those of one run.
pub const RUN_MEMBERS: u64 = 1 << 20;

/// Longest frame payload, in bytes.
pub const FRAME_BYTES: usize = 64 * 1024;

/// Longest message after decompression, in bytes.
pub const MESSAGE_BYTES: usize = 48 * 1024;

/// Longest piece of file content in one message, in bytes.
pub const LITERAL_BYTES: usize = 32 * 1024;

/// Longest path relative to the destination, in bytes (Linux's `PATH_MAX`, less its NUL).
pub const PATH_BYTES: usize = 4095;

/// Longest single name in a path, in bytes (`NAME_MAX`).
pub const NAME_BYTES: usize = 255;

/// Deepest path, in components.
pub const PATH_DEPTH: usize = 1024;

/// Longest target of a symbolic link, in bytes.
pub const LINK_TARGET_BYTES: usize = 4095;

/// Most entries in one tree, and most actions in one plan.
pub const ENTRIES: u64 = 10_000_000;

/// Most bytes of paths and link targets in one state.
pub const STATE_BYTES: usize = 1 << 30;

/// Largest file, in bytes (16 TiB, ext4's own limit).
pub const FILE_BYTES: u64 = 1 << 44;

/// Largest zstd window of either side, as a power of two (8 MiB).
pub const WINDOW_LOG: u32 = 23;

/// Longest error text from the other side, in bytes.
pub const ERROR_BYTES: usize = 4096;

/// Block sizes of a signature: powers of two in this range, in bytes.
pub const BLOCK_BYTES: std::ops::RangeInclusive<u32> = 256..=1 << 20;

/// Bytes of the strong hash kept per block of a signature (MD4 has 16).
pub const STRONG_BYTES: std::ops::RangeInclusive<u8> = 2..=16;

/// Most renames in one push.
pub const RENAMES: usize = 65_536;

/// Longest fingerprint in a name, and longest text that is rewritten, in bytes.
pub const FINGERPRINT_BYTES: usize = 128;

/// Most substitutes in one push: texts that are rewritten beside fingerprints.
pub const SUBSTITUTES: usize = 256;

/// Most alias queries in one push: pairs of paths that may be one to the destination's file system.
pub const ALIASES: usize = 100_000;

/// Most bytes of bases that a zstd frame may have as its prefix (1 MiB).
pub const PREFIX_BYTES: usize = 1 << 20;

/// Most parts of a prefix.
pub const PREFIX_PARTS: usize = 16 * 1024;

pub use assetsync_regzip::CORRECTION_BYTES;

/// Most bytes of a history (64 MiB). An agent handles it in chunks; a sender holds all of it.
pub const HISTORY_BYTES: u64 = 64 << 20;

/// Most retained contents that a destination reports, and most that one push adds.
pub const RETAINED_CONTENTS: usize = 16 * 1024;

/// Most bytes of the signed content of a rewritten file of `size` bytes.
pub const fn rewritten_bytes(size: u64) -> u64 {
    size.saturating_mul(2).saturating_add(64 * 1024)
}
