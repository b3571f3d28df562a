//! The measurements of the story, and their setup.

use serde::{Deserialize, Serialize};

/// The memory of the server.
pub(super) const SERVER_MEMORY: u64 = 512 << 20;

/// The part of it that Linux and its daemons are assumed to use. The assumption is low, as the
/// cgroup holds only the processes of the application.
pub(super) const SYSTEM_MEMORY: u64 = 96 << 20;

/// The link to the server.
pub(super) const LINK: &str = "50ms,20mbit";

/// All measurements. Memory is in bytes and includes the page cache.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// Compiling on the server.
    pub compile: Compile,
    /// The peak memory of compiling without a limit.
    pub unlimited_compile_peak: u64,
    /// The peak memory of puma on the server.
    pub puma_peak: u64,
    /// The first deploy and the second, by rsync.
    pub rsync: [Transfer; 2],
    /// The same by `assetsync deploy`.
    pub assetsync: [Transfer; 2],
}

/// Compiling on the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Compile {
    /// Whether the kernel killed it.
    pub killed: bool,
    /// The time until it ended.
    pub seconds: f64,
    /// The peak memory of the server meanwhile, without that of Linux.
    pub peak: u64,
}

/// Copying compiled assets to the server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Time from start to end of the command.
    pub seconds: f64,
    /// TCP payload both ways.
    pub bytes: u64,
    /// The peak memory of its sessions on the server.
    pub peak: u64,
}
