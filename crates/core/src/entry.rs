//! Entries: one path of a tree with its kind, mode and mtime.

use crate::path::RelPath;

/// Permission bits that a push copies. It never copies set-user-id, set-group-id, sticky and
/// world-writable.
pub const CARRIED_MODE: u32 = 0o775;

/// A modification time in the file system's precision: UTC, since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Whole seconds; negative before 1970.
    pub secs: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanos: u32,
}

/// The kind of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file of `size` bytes.
    File {
        /// Bytes of content.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symlink; its target is copied literally, never followed.
    Symlink {
        /// The target.
        target: Vec<u8>,
    },
    /// A FIFO, socket or device: reported, never opened, never copied.
    Special,
}

/// One path of a tree with its kind, mode and mtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, relative to the root.
    pub path: RelPath,
    /// The kind.
    pub kind: Kind,
    /// Permission bits as `chmod` takes them (all twelve on a destination, [`CARRIED_MODE`] of a
    /// source).
    pub mode: u32,
    /// Last modification.
    pub mtime: Mtime,
}

impl Entry {
    /// The size if this is a regular file.
    pub fn file_size(&self) -> Option<u64> {
        match self.kind {
            Kind::File { size } => Some(size),
            _ => None,
        }
    }
}
