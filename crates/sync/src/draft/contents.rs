//! Reads old and new contents of files, as far as they are compared in memory.

use std::io::Read;

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::old_contents::OldContents;
use crate::compare::content_match::SourceEntry;
use crate::scan::compressed_names::is_precompressed;
use crate::scan::source::Source;

/// Largest file that is compared in memory, in bytes. Larger ones are sent as deltas.
pub const LARGEST: u64 = 64 << 20;

/// The old content of a file of the state, if it is available and small enough to compare.
pub fn old_content(old: &dyn OldContents, remote: &RemoteEntry) -> Option<Vec<u8>> {
    let size = comparable_size(remote)?;
    old.get(remote.digest?, size)
}

/// Whether [`old_content`] is available.
pub fn has_old_content(old: &dyn OldContents, remote: &RemoteEntry) -> bool {
    comparable_size(remote).zip(remote.digest).is_some_and(|(size, digest)| old.has(digest, size))
}

/// The size of a file of the state, in bytes, if comparing its content pays.
pub fn comparable_size(remote: &RemoteEntry) -> Option<u64> {
    let size = remote.entry.file_size()?;
    is_comparable(&remote.entry.path, size).then_some(size)
}

/// The new content of a source file, if it is small enough to compare and still has the listed
/// digest.
pub fn new_content(source: &Source, local: &SourceEntry) -> Option<Vec<u8>> {
    if !is_comparable(&local.entry.path, local.entry.file_size()?) {
        return None;
    }
    read_listed(source, local)
}

/// Reads a source file, if it still has the listed digest.
pub fn read_listed(source: &Source, local: &SourceEntry) -> Option<Vec<u8>> {
    let content = read(source, local)?;
    matches_plan(&content, local.digest).then_some(content)
}

/// Reads a source file, up to one byte more than its listed size.
pub fn read(source: &Source, local: &SourceEntry) -> Option<Vec<u8>> {
    let size = local.entry.file_size()?;
    let file = source.tree().ok()?.open_file(&local.entry.path).ok()?;
    let mut content = Vec::with_capacity(size as usize + 1);
    file.take(size + 1).read_to_end(&mut content).ok()?;
    Some(content)
}

/// Whether a file is small enough, and not compressed, so that comparing its content pays.
pub fn is_comparable(path: &RelPath, size: u64) -> bool {
    size <= LARGEST && !is_precompressed(path.as_bytes())
}

/// Whether the content has the planned digest.
pub fn matches_plan(content: &[u8], digest: Option<Digest>) -> bool {
    digest == Some(Digest::of(content))
}
