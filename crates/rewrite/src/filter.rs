//! Skips content in which no old text can begin.

/// Longest stride, in bytes: longer ones would fill the bitmap and gain little.
const MOST_STRIDE: usize = 16;

/// Bits per block that is inserted: fewer than one stride in a hundred is a false positive.
const BITS_PER_BLOCK: usize = 32;

/// Size of the bitmap, as powers of two in bits: 4 KiB to 2 MiB.
const BITS: std::ops::RangeInclusive<u32> = 15..=24;

/// A bitmap of blocks: those at the first `stride` positions of every old text. Each sets two bits,
/// of one word so that one load finds them (a "blocked" Bloom filter).
///
/// If an old text begins anywhere within a stride, the block at the stride's last position is in
/// the bitmap; if it is not, the whole stride can be skipped.
#[derive(Debug)]
pub(super) struct Filter {
    bitmap: Vec<u64>,
    /// The right shift that turns a hash into the index of a word.
    shift: u32,
    /// The mask of the bytes of a block, of eight.
    mask: u64,
    stride: usize,
}

impl Filter {
    /// Inserts the starts of `olds`, none of which is shorter than `shortest` bytes, at least 6.
    pub(super) fn of<'t>(shortest: usize, olds: impl ExactSizeIterator<Item = &'t [u8]>) -> Filter {
        // Half for the block and half for the stride: longer blocks and longer strides both save
        // lookups.
        let block = (shortest / 2).clamp(4, 8);
        let stride = (shortest - block + 1).min(MOST_STRIDE);
        let wanted = (olds.len() * stride * BITS_PER_BLOCK).next_power_of_two();
        let bits = wanted.ilog2().clamp(*BITS.start(), *BITS.end());
        let mask = u64::MAX >> (64 - 8 * block);
        let bitmap = vec![0; 1 << (bits - 6)];
        let mut filter = Filter { bitmap, shift: 64 - (bits - 6), mask, stride };
        for old in olds {
            for at in 0..stride {
                let (word, bits) = filter.slot(load(&old[at..]));
                filter.bitmap[word] |= bits;
            }
        }
        filter
    }

    /// Number of positions that one lookup decides.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Number of bytes at the start of `data` that can be skipped, because no old text begins
    /// there: whole strides, never the last few bytes.
    pub(super) fn skip(&self, data: &[u8]) -> usize {
        let mut at = 0;
        while let Some(block) = data.get(at + self.stride - 1..at + self.stride + 7) {
            let (word, bits) = self.slot(load(block));
            if self.bitmap[word] & bits == bits {
                break;
            }
            at += self.stride;
        }
        at
    }

    /// The index of the word, and the two bits, of a block.
    #[inline(always)]
    fn slot(&self, block: u64) -> (usize, u64) {
        let hash = hash(block & self.mask);
        ((hash >> self.shift) as usize, 1 << (hash >> 34 & 63) | 1 << (hash >> 28 & 63))
    }
}

/// Multiplicative hashing (Knuth, 6.4); the high bits are well mixed.
#[inline(always)]
pub(super) fn hash(block: u64) -> u64 {
    block.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The first eight bytes as a little-endian number, padded with zeros.
#[inline(always)]
pub(super) fn load(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)),
    }
}
