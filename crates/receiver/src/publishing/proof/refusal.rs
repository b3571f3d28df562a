//! Why a path can't be published, and what to do.

use std::fmt;
use std::io;

/// A path that can't be published.
#[derive(Debug)]
pub struct Refusal {
    /// The path, relative to the destination.
    pub path: String,
    /// Where its file system is mounted, if that is known.
    pub mount: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a path can't be published.
#[derive(Debug)]
pub enum Reason {
    /// The user may not change what is in this directory.
    DirNotWritable {
        /// The directory's owner.
        owner: u32,
    },
    /// Only its owner may set its permission bits and time.
    NotOwner {
        /// The file's owner.
        owner: u32,
    },
    /// The directory has the sticky bit, and the entry belongs to another user.
    Sticky {
        /// The entry's owner.
        owner: u32,
    },
    /// It has the attribute `i`.
    Immutable,
    /// It has the attribute `a`.
    AppendOnly,
    /// Something is mounted on it.
    MountPoint,
    /// Its file system is mounted read-only.
    ReadOnly,
    /// No file can be brought there.
    Unreachable(io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { path, mount, reason } = self;
        write!(f, "{path} ")?;
        match reason {
            Reason::DirNotWritable { owner } => write!(
                f,
                "can't be changed: Permission denied, it belongs to user {owner}; make the user that logs in the \
                 owner, or let their group write"
            )?,
            Reason::NotOwner { owner } => write!(
                f,
                "can't be changed: Permission denied, it belongs to user {owner}; make the user that logs in the owner"
            )?,
            Reason::Sticky { owner } => write!(
                f,
                "belongs to user {owner}, and its directory has the sticky bit, so only they can \
                 replace or delete it; push as user {owner}, or chmod -t the directory"
            )?,
            Reason::Immutable => write!(f, "is immutable; chattr -i it")?,
            Reason::AppendOnly => write!(f, "is append-only; chattr -a it")?,
            Reason::MountPoint => {
                write!(f, "is a mount point and can't be replaced; unmount or exclude it")?;
            }
            Reason::ReadOnly => write!(f, "is on a read-only file system; remount it writable")?,
            Reason::Unreachable(error) => write!(f, "can't be written to: {error}")?,
        }
        mount.as_ref().map_or(Ok(()), |mount| write!(f, " (mounted on {mount})"))
    }
}
