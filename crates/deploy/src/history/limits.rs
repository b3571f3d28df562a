//! Limits of a history, which is read from the disk of a host.

/// The limit of deploys. Beyond it the oldest is forgotten, whatever the policy: eleven days of a
/// deploy every four minutes.
pub const DEPLOYS: usize = 4096;

/// Most files in the tree of one deploy.
pub const FILES: usize = 1_000_000;

/// Most versions of files in one history.
pub const VERSIONS: usize = 4_000_000;

/// Longest name of a user, host or tool, in bytes.
pub const NAME_BYTES: usize = 256;

/// Largest part of a history after decompression, in bytes.
pub const PART_BYTES: usize = 256 << 20;

/// Most versions looked at while a history is read, all deploys together: what bounds the time it
/// takes.
pub const WORK: u64 = 1 << 31;
