//! The index at the end of a pack: 48 bytes for each content, sorted by digest, searched as it was
//! read.

use assetsync_core::digest::{Digest, ShortDigest};

/// Bytes of one slot.
pub const SLOT_BYTES: usize = 48;

/// Where a content is in its pack: as numbers say that may be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The content's digest.
    pub digest: Digest,
    /// Where its packed form begins.
    pub offset: u64,
    /// Bytes of its packed form; those of the content where it does not get smaller.
    pub packed: u32,
    /// Bytes of the content.
    pub size: u32,
}

impl Slot {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.packed.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
    }

    fn read(bytes: &[u8; SLOT_BYTES]) -> Slot {
        Slot {
            digest: Digest(part(bytes, 0)),
            offset: u64::from_le_bytes(part(bytes, 32)),
            packed: u32::from_le_bytes(part(bytes, 40)),
            size: u32::from_le_bytes(part(bytes, 44)),
        }
    }
}

fn part<const N: usize>(bytes: &[u8; SLOT_BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// The slots of a pack, sorted by digest.
#[derive(Debug)]
pub struct PackIndex(Vec<u8>);

impl PackIndex {
    /// Sorts slots.
    pub fn new(mut slots: Vec<Slot>) -> PackIndex {
        slots.sort_unstable_by_key(|slot| slot.digest);
        let mut bytes = Vec::with_capacity(slots.len() * SLOT_BYTES);
        slots.iter().for_each(|slot| slot.put(&mut bytes));
        PackIndex(bytes)
    }

    /// Takes bytes as they were read. If they are not sorted, contents are not found; nothing
    /// worse.
    pub fn from_bytes(bytes: Vec<u8>) -> PackIndex {
        PackIndex(bytes)
    }

    /// As it is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// All slots.
    pub fn iter(&self) -> impl Iterator<Item = Slot> {
        self.slots().iter().map(Slot::read)
    }

    /// The slot of a content by its short digest and its size in bytes.
    pub fn find(&self, digest: ShortDigest, size: u64) -> Option<Slot> {
        let slots = self.slots();
        let first = slots.partition_point(|slot| slot[..16] < digest.0[..]);
        let alike = slots[first..].iter().take_while(|slot| slot[..16] == digest.0);
        alike.map(Slot::read).find(|slot| u64::from(slot.size) == size)
    }

    fn slots(&self) -> &[[u8; SLOT_BYTES]] {
        self.0.as_chunks().0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_slot_is_found(contents in proptest::collection::vec((any::<u64>(), any::<u32>()), 0..200)) {
            let slot = |&(offset, size): &(u64, u32)| Slot {
                digest: Digest::of(&offset.to_le_bytes()),
                offset,
                packed: size / 2,
                size,
            };
            let slots: Vec<Slot> = contents.iter().map(slot).collect();
            let index = PackIndex::new(slots.clone());
            let index = PackIndex::from_bytes(index.as_bytes().to_vec());
            prop_assert_eq!(index.iter().count(), slots.len());
            for slot in slots {
                let (digest, size) = (slot.digest.short(), u64::from(slot.size));
                prop_assert_eq!(index.find(digest, size), Some(slot));
                prop_assert_eq!(index.find(digest, size + (1 << 40)), None);
            }
            prop_assert_eq!(index.find(Digest::of(b"another").short(), 7), None);
        }
    }
}
