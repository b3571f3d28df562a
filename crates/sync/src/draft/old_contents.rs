//! Contents that destinations had.

use assetsync_core::digest::ShortDigest;

/// Gives contents by digest and size in bytes.
pub trait OldContents: Sync {
    /// Whether the content is at hand.
    fn has(&self, digest: ShortDigest, size: u64) -> bool;
    /// The content, if it is at hand and undamaged.
    fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>>;
}

/// Has nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContents;

impl OldContents for NoContents {
    fn has(&self, _digest: ShortDigest, _size: u64) -> bool {
        false
    }

    fn get(&self, _digest: ShortDigest, _size: u64) -> Option<Vec<u8>> {
        None
    }
}
