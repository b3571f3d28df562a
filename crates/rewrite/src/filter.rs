//! Passes quickly over content in which no old text can begin.

/// Longest stride, in bytes: more would fill the bitmap and gain little.
const MOST_STRIDE: usize = 16;

/// Bits per block that is entered: fewer than one stride in a hundred is looked at in vain.
const BITS_PER_BLOCK: usize = 32;

/// Size of the bitmap, as powers of two in bits: 4 KiB to 2 MiB.
const BITS: std::ops::RangeInclusive<u32> = 15..=24;

/// A bitmap of blocks: those at the first `stride` positions of every old text. Each sets two bits,
/// of one word so that one load finds them (a "blocked" Bloom filter).
///
/// If an old text begins anywhere within a stride, then the block at the stride's last position is
/// one of them; if it is none, the whole stride can be passed.
#[derive(Debug)]
pub(super) struct Filter {
    bitmap: Vec<u64>,
    /// How far a hash is shifted right to be the position of a word.
    shift: u32,
    /// Which of eight bytes belong to a block.
    mask: u64,
    stride: usize,
}

impl Filter {
    /// Enters the fronts of `olds`, none of which is shorter than `shortest` bytes, at least 6.
    pub(super) fn of<'t>(shortest: usize, olds: impl ExactSizeIterator<Item = &'t [u8]>) -> Filter {
        // Half for the block and half to stride: both longer blocks and longer strides save
        // look-ups.
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

    /// How many positions one look-up decides.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// How many bytes at the front of `data` can be passed: no old text begins there. Whole
    /// strides; the last few bytes are never passed.
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

    /// The word and its two bits for a block.
    #[inline(always)]
    fn slot(&self, block: u64) -> (usize, u64) {
        let hash = hash(block & self.mask);
        ((hash >> self.shift) as usize, 1 << (hash >> 34 & 63) | 1 << (hash >> 28 & 63))
    }
}

/// Multiplying spreads the blocks (Knuth, 6.4); the high bits are the well mixed ones.
#[inline(always)]
pub(super) fn hash(block: u64) -> u64 {
    block.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The first eight bytes as a number, the first one lowest; zeros where there are fewer.
#[inline(always)]
pub(super) fn load(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)),
    }
}
