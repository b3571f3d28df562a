//! A basis, indexed by hashes of its windows.

/// Bytes of a window, and from one indexed window to the next in a basis of up to 4 MiB: every
/// match of twice this, less one, holds one. [`push`] forgets after as many bytes.
pub(crate) const WINDOW: usize = 32;

/// Most windows that are indexed, so that the index (1 MiB) stays in cache; in a larger basis they
/// lie further apart.
const WINDOWS: usize = 1 << 17;

/// The bits of a hash that choose the bits in a word of the bitmap: good ones that do not choose
/// the word.
const BIT_SHIFTS: [u32; 2] = [24, 30];

/// Most places of the basis looked at for one position.
const CANDIDATES: usize = 4;

/// Hashes of windows to their places in the basis: a bitmap that answers most misses from cache,
/// then buckets.
#[derive(Debug)]
pub(crate) struct Index {
    /// Two bits for each hash, in one word.
    bitmap: Vec<u64>,
    bitmap_shift: u32,
    /// Numbers of windows by hash, in each bucket ascending; the low bits hold more of the hash.
    windows: Vec<u32>,
    tag_bits: u32,
    /// Where each bucket of `windows` starts, by the first bits of the hash; one more at the end.
    starts: Vec<u32>,
    starts_shift: u32,
    /// Bytes of the basis from one window to the next.
    stride: usize,
}

impl Index {
    pub(crate) fn of(basis: &[u8]) -> Index {
        let stride = WINDOW * basis.len().div_ceil(WINDOW * WINDOWS).next_power_of_two();
        let windows = basis.chunks(stride).filter_map(|chunk| chunk.get(..WINDOW));
        let hashes: Vec<u64> = windows.map(gear).collect();
        let bits = hashes.len().max(16).next_power_of_two().ilog2();
        // Sixteen bits a window or more: about one random position in sixty is looked up in vain.
        let bitmap_bits = bits + 4;
        let mut index = Index {
            bitmap: vec![0; 1 << (bitmap_bits - 6)],
            bitmap_shift: u64::BITS - (bitmap_bits - 6),
            windows: Vec::new(),
            tag_bits: u32::BITS - bits,
            starts: vec![0; (1 << (bits - 1)) + 1],
            starts_shift: u64::BITS - (bits - 1),
            stride,
        };
        index.fill(&hashes);
        index
    }

    fn fill(&mut self, hashes: &[u64]) {
        // Of equal windows in a row the first will do: matches are extended through the others.
        let kept = |&(number, hash): &(usize, &u64)| number == 0 || hashes[number - 1] != *hash;
        for (_, &hash) in hashes.iter().enumerate().filter(kept) {
            let (word, bits) = self.slot(hash);
            self.bitmap[word] |= bits;
            let bucket = self.bucket(hash);
            self.starts[bucket] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.windows = vec![0; end as usize];
        // From behind, so that each bucket ascends and its end becomes its start.
        for (number, &hash) in hashes.iter().enumerate().filter(kept).rev() {
            let bucket = self.bucket(hash);
            self.starts[bucket] -= 1;
            self.windows[self.starts[bucket] as usize] =
                (number as u32) << self.tag_bits | self.tag(hash);
        }
    }

    #[inline]
    fn slot(&self, hash: u64) -> (usize, u64) {
        let [first, second] = BIT_SHIFTS.map(|shift| 1 << (hash >> shift & 63));
        ((hash >> self.bitmap_shift) as usize, first | second)
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> self.starts_shift) as usize
    }

    /// The bits of the hash that follow those of its bucket.
    fn tag(&self, hash: u64) -> u32 {
        (hash << (u64::BITS - self.starts_shift) >> (u64::BITS - self.tag_bits)) as u32
    }

    fn offset(&self, window: u32) -> usize {
        (window >> self.tag_bits) as usize * self.stride
    }

    /// Rolls on until the basis may have a window with the hash, or no more bytes come; gives the
    /// number of bytes rolled.
    pub(crate) fn skip(&self, hash: &mut u64, come: &[u8]) -> usize {
        for (rolled, &byte) in come.iter().enumerate() {
            let (word, bits) = self.slot(*hash);
            if self.bitmap[word] & bits == bits {
                return rolled;
            }
            *hash = push(*hash, byte);
        }
        come.len()
    }

    /// Where the basis most likely has windows with the hash: the places nearest to `expected`.
    pub(crate) fn nearby(&self, hash: u64, expected: usize) -> impl Iterator<Item = usize> {
        let bucket = self.bucket(hash);
        let bucket = &self.windows[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        let behind = bucket.partition_point(|&window| self.offset(window) < expected);
        let first = behind.saturating_sub(CANDIDATES / 2);
        let (tag, mask) = (self.tag(hash), (1 << self.tag_bits) - 1);
        let near = bucket[first..].iter().take(CANDIDATES);
        near.filter(move |&window| window & mask == tag).map(|&window| self.offset(window))
    }
}

/// The value that each byte adds to a hash: the outputs of SplitMix64.
const GEAR: [u64; 256] = {
    let mut gear = [0; 256];
    let mut byte = 0;
    while byte < gear.len() {
        let mut word = (byte as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        gear[byte] = word ^ (word >> 31);
        byte += 1;
    }
    gear
};

/// The hash of a window; its high bits are the well mixed ones.
pub(crate) fn gear(window: &[u8]) -> u64 {
    window.iter().fold(0, |hash, &byte| push(hash, byte))
}

/// Lets `byte` enter a hash; the byte that entered thirty-two bytes ago falls out.
#[inline]
pub(crate) fn push(hash: u64, byte: u8) -> u64 {
    (hash << (u64::BITS as usize / WINDOW)).wrapping_add(GEAR[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_its_last_window() {
        let data: Vec<u8> = (0..500_u32).map(|at| (at * at / 3) as u8).collect();
        let mut hash = gear(&data[..WINDOW]);
        for (at, window) in data.windows(WINDOW).enumerate() {
            assert_eq!(hash, gear(window));
            hash = push(hash, data.get(at + WINDOW).copied().unwrap_or_default());
        }
    }

    #[test]
    fn a_large_basis_has_a_sparse_index() {
        let basis: Vec<u8> =
            (0..9 << 20).map(|at: u32| (at.wrapping_mul(at) >> 13) as u8).collect();
        let index = Index::of(&basis);
        assert_eq!(index.stride, 4 * WINDOW);
        assert!(index.windows.len() <= WINDOWS);
    }

    #[test]
    fn the_places_nearest_to_the_expected_one_are_given() {
        let mut basis = vec![0; 100 * WINDOW];
        for (number, window) in basis.chunks_exact_mut(2 * WINDOW).enumerate() {
            window[WINDOW..].fill(number as u8 + 1);
        }
        let index = Index::of(&basis);
        let places = |expected| index.nearby(gear(&[0; WINDOW]), expected).collect::<Vec<_>>();
        assert_eq!(places(0), [0, 64, 128, 192]);
        assert_eq!(places(640), [512, 576, 640, 704]);
        assert_eq!(places(usize::MAX), [3072, 3136]);
    }
}
