//! A signature, indexed by its weak sums.

use assetsync_core::delta::Signature;

use super::rolling::{Sums, WINDOWS};

/// Buckets for each block: most windows that are looked up in vain find theirs empty.
const BUCKETS: usize = 4;

/// Weak sums to blocks: a sieve that answers most misses from cache, then buckets.
#[derive(Debug)]
pub(crate) struct Index {
    /// A bit for each weak sum.
    sieve: Vec<u64>,
    sieve_shift: u32,
    /// Weak sums and blocks, by hash of the weak sum, then by strong hash; of blocks that are equal
    /// only the first.
    blocks: Vec<(u32, u32)>,
    /// Where each bucket of `blocks` starts, by the first bits of the hash; one more at the end.
    starts: Vec<u32>,
    starts_shift: u32,
    full_blocks: usize,
}

/// Windows that may be blocks, and room to find them in.
#[derive(Debug)]
pub(crate) struct Sifted {
    words: [u16; WINDOWS],
    bits: [u16; WINDOWS],
    windows: [u8; WINDOWS],
}

impl Default for Sifted {
    fn default() -> Sifted {
        Sifted { words: [0; WINDOWS], bits: [0; WINDOWS], windows: [0; WINDOWS] }
    }
}

/// Multiplying spreads the sums (Knuth, 6.4); the high bits are the well mixed ones.
fn hash(weak: u32) -> u32 {
    weak.wrapping_mul(0x9e37_79b1)
}

/// The word of the sieve and the bit in it that stand for a weak sum: the first bits of two hashes
/// that, together and whole, still tell all sums apart. Of the halves of the sum: products of
/// sixteen bits are what every processor's vector instructions know.
#[inline]
fn slot(low: u16, high: u16, shift: u32) -> (u16, u16) {
    let word = high.wrapping_mul(0x9e37).wrapping_add(low.wrapping_mul(0x79b1));
    let bit = high.wrapping_mul(0x85eb).wrapping_add(low.wrapping_mul(0xca6c));
    (word >> shift, bit >> (u16::BITS - u64::BITS.ilog2()))
}

impl Index {
    pub(crate) fn of(signature: &Signature) -> Index {
        let full_blocks = signature.blocks() - usize::from(signature.short_tail() > 0);
        let mut blocks: Vec<(u32, u32)> =
            (0..full_blocks).map(|block| (signature.weak(block), block as u32)).collect();
        let key =
            |&(weak, block): &(u32, u32)| (hash(weak), signature.strong(block as usize), block);
        blocks.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        blocks.dedup_by(|b, a| key(a).0 == key(b).0 && key(a).1 == key(b).1);
        // Sixty-four bits a block: one random window in sixty-four is looked up in vain.
        let words = blocks.len().next_power_of_two().ilog2().clamp(1, u16::BITS);
        let buckets = (blocks.len() * BUCKETS).next_power_of_two().ilog2().clamp(1, 24);
        let mut index = Index {
            sieve: vec![0; 1 << words],
            sieve_shift: u16::BITS - words,
            starts: Vec::with_capacity((1 << buckets) + 1),
            starts_shift: u32::BITS - buckets,
            blocks,
            full_blocks,
        };
        index.fill(1 << buckets);
        index
    }

    fn fill(&mut self, buckets: u32) {
        for &(weak, _) in &self.blocks {
            let (word, bit) = slot(weak as u16, (weak >> 16) as u16, self.sieve_shift);
            self.sieve[usize::from(word)] |= 1 << bit;
        }
        let bucket = |entry: &(u32, u32)| hash(entry.0) >> self.starts_shift;
        let mut at = 0;
        for number in 0..=buckets {
            while self.blocks.get(at).is_some_and(|entry| bucket(entry) < number) {
                at += 1;
            }
            self.starts.push(at as u32);
        }
    }

    /// Blocks of full length: the first so many.
    pub(crate) fn full_blocks(&self) -> usize {
        self.full_blocks
    }

    /// Which of the first `count` windows may be blocks.
    pub(crate) fn sift<'s>(&self, sums: &Sums, count: usize, sifted: &'s mut Sifted) -> &'s [u8] {
        let Sifted { words, bits, windows } = sifted;
        let slots = words.iter_mut().zip(bits.iter_mut());
        for ((word, bit), (&low, &high)) in slots.zip(sums.lows.iter().zip(&sums.highs)) {
            (*word, *bit) = slot(low, high, self.sieve_shift);
        }
        let mut found = 0_usize;
        for (window, (&word, &bit)) in words[..count].iter().zip(bits.iter()).enumerate() {
            // Written always and kept sometimes: a branch here would be mispredicted at every
            // window found.
            windows[found % WINDOWS] = window as u8;
            found += (self.sieve[usize::from(word)] >> bit & 1) as usize;
        }
        &windows[..found]
    }

    /// The blocks with this weak sum.
    pub(crate) fn candidates(&self, weak: u32) -> &[(u32, u32)] {
        let bucket = (hash(weak) >> self.starts_shift) as usize;
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let bucket = &self.blocks[start..end];
        // The hash is a permutation, so equal sums, and no others, stand side by side.
        let first = bucket.partition_point(|entry| hash(entry.0) < hash(weak));
        let same = bucket[first..].partition_point(|entry| entry.0 == weak);
        &bucket[first..first + same]
    }
}
