//! Changes of the tree that are one request each.

use super::reply::Op;
use super::session::{HARDLINK, POSIX_RENAME};
use super::wire::{Packet, kind};

/// A change that is one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Makes a directory.
    Mkdir {
        /// Its path.
        path: Vec<u8>,
        /// Its permission bits, less the server's umask.
        mode: u32,
    },
    /// Removes an empty directory.
    Rmdir {
        /// Its path.
        path: Vec<u8>,
    },
    /// Removes a file or a link.
    Remove {
        /// Its path.
        path: Vec<u8>,
    },
    /// Makes a symbolic link.
    Symlink {
        /// Its text.
        target: Vec<u8>,
        /// Its path.
        path: Vec<u8>,
    },
    /// Renames. What exists is replaced atomically if
    /// [`SftpSession::renames_atomically`](super::SftpSession::renames_atomically), else the server
    /// refuses.
    Rename {
        /// The path before.
        from: Vec<u8>,
        /// The path after.
        to: Vec<u8>,
    },
    /// Gives a file a second name. Servers without the extension refuse.
    HardLink {
        /// The path of the file.
        from: Vec<u8>,
        /// The second path.
        to: Vec<u8>,
    },
    /// Sets permission bits, modification time, or both; symbolic links are followed.
    SetAttributes {
        /// The path.
        path: Vec<u8>,
        /// Permission bits.
        mode: Option<u32>,
        /// Seconds since 1970.
        mtime: Option<u32>,
    },
}

impl Change {
    pub(super) fn op(&self) -> Op<'_> {
        match self {
            Self::Mkdir { path, .. } => Op("make directory", path),
            Self::Rmdir { path } => Op("remove directory", path),
            Self::Remove { path } => Op("remove", path),
            Self::Symlink { path, .. } => Op("link", path),
            Self::Rename { from, .. } => Op("rename", from),
            Self::HardLink { from, .. } => Op("give a second name to", from),
            Self::SetAttributes { path, .. } => Op("set attributes of", path),
        }
    }

    pub(super) fn packet(&self, has_posix_rename: bool) -> Packet {
        match self {
            Self::Mkdir { path, mode } => {
                Packet::request(kind::MKDIR).string(path).attributes(Some(*mode), None)
            }
            Self::Rmdir { path } => Packet::request(kind::RMDIR).string(path),
            Self::Remove { path } => Packet::request(kind::REMOVE).string(path),
            // OpenSSH, and thus every server, expects the two in the opposite order of the draft.
            Self::Symlink { target, path } => {
                Packet::request(kind::SYMLINK).string(target).string(path)
            }
            Self::Rename { from, to } => {
                let packet = match has_posix_rename {
                    true => Packet::request(kind::EXTENDED).string(POSIX_RENAME.as_bytes()),
                    false => Packet::request(kind::RENAME),
                };
                packet.string(from).string(to)
            }
            Self::HardLink { from, to } => {
                Packet::request(kind::EXTENDED).string(HARDLINK.as_bytes()).string(from).string(to)
            }
            Self::SetAttributes { path, mode, mtime } => {
                Packet::request(kind::SETSTAT).string(path).attributes(*mode, *mtime)
            }
        }
    }
}
