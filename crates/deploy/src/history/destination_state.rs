//! Compares the entries of a destination with the history.

use assetsync_core::digest::ShortDigest;
use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::tree::{Content, HistoryFile};

/// The entry at a path, of a state in tree order.
pub(super) fn find<'a>(existing: &'a [RemoteEntry], path: &RelPath) -> Option<&'a RemoteEntry> {
    let found = existing.binary_search_by(|remote| remote.entry.path.cmp(path)).ok()?;
    Some(&existing[found])
}

/// Whether an entry has this content; `None` if that depends on its unknown digest.
pub(super) fn has_content(remote: &RemoteEntry, content: &Content) -> Option<bool> {
    match (&remote.entry.kind, content) {
        (Kind::File { size }, Content::File { size: expected, .. }) if size != expected => {
            Some(false)
        }
        (Kind::File { .. }, Content::File { digest, .. }) => {
            remote.digest.map(|known| known == digest.short())
        }
        (Kind::Symlink { target }, Content::Symlink { target: expected }) => {
            Some(target == expected)
        }
        _ => Some(false),
    }
}

/// Whether an entry is this file: by content, or by size and time where its digest isn't known.
pub(super) fn is_file(remote: &RemoteEntry, file: &HistoryFile) -> bool {
    let unchanged = || remote.entry.mtime == file.attributes.mtime;
    has_content(remote, &file.content).unwrap_or_else(unchanged)
}

/// The size and digest of a file's content.
pub(super) fn key(content: &Content) -> Option<(u64, ShortDigest)> {
    match content {
        Content::File { size, digest } => Some((*size, digest.short())),
        Content::Symlink { .. } => None,
    }
}
