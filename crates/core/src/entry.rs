//! What stands at a path of a tree.

use crate::path::RelPath;

/// Permission bits that are carried. Set-user-id, set-group-id, sticky and world-writable never are.
pub const CARRIED_MODE: u32 = 0o775;

/// A time of last modification, as the file system keeps it: UTC, since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Whole seconds; negative before 1970.
    pub secs: i64,
    /// Nanoseconds within the second, below 1,000,000,000.
    pub nanos: u32,
}

/// What kind of thing stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file of `size` bytes.
    File {
        /// Bytes of content.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link; its target is carried as it is, never followed.
    Symlink {
        /// The link's text.
        target: Vec<u8>,
    },
    /// A FIFO, socket or device: reported, never opened, never carried.
    Special,
}

/// One path of a tree and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where, relative to the root.
    pub path: RelPath,
    /// What.
    pub kind: Kind,
    /// Permission bits as `chmod` takes them (all twelve on a destination, [`CARRIED_MODE`] of a source).
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
