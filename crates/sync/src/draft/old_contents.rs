//! The contents that destinations have.

use assetsync_core::digest::ShortDigest;

/// Contents by digest and size in bytes.
pub trait OldContents: Sync {
    /// Whether the content is available.
    fn has(&self, digest: ShortDigest, size: u64) -> bool;
    /// The content, if it is available and undamaged.
    fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>>;
}

/// No contents.
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
