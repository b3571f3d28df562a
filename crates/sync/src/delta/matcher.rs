//! Finds the blocks of a basis in a new file.
//!
//! The new file is pushed through in pieces; a window of one block rolls over it. At each position the weak
//! sum is looked up in an index of the signature; only where it hits is the MD4 computed. Work is bounded
//! whatever the data: few blocks are compared per hit, and MD4s that lead to nothing are rationed, so that
//! neither equal weak sums nor a hostile signature make it quadratic.

use super::rolling::Rolling;
use super::signature::{Signature, StrongHash};

/// Most blocks compared for one weak sum.
const CANDIDATES: usize = 32;

/// MD4s in vain that are always allowed, and how many windows of input earn another one.
const FREE_MISSES: u64 = 1024;
const MISSES_PER_BLOCK: u64 = 4;

/// Most blocks that are compared at once where one follows the other.
const MOST_AHEAD: usize = 32;

/// One operation of a delta, in the order of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op<'a> {
    /// Bytes the basis does not have.
    Literal(&'a [u8]),
    /// A range of the basis.
    Copy {
        /// First byte in the basis.
        offset: u64,
        /// Bytes.
        length: u64,
    },
}

/// A search over one signature.
#[derive(Debug)]
pub struct Matcher<'s> {
    signature: &'s Signature,
    index: Index,
    /// The copy not yet emitted: ranges that touch are joined.
    pending: Option<(u64, u64)>,
    /// The block that would continue the last copy.
    next: usize,
    /// How many blocks to compare at once while one follows the other.
    ahead: usize,
    missed: u64,
    scanned: u64,
}

impl<'s> Matcher<'s> {
    /// Indexes `signature`.
    pub fn new(signature: &'s Signature) -> Matcher<'s> {
        let index = Index::of(signature);
        Matcher { signature, index, pending: None, next: 0, ahead: 1, missed: 0, scanned: 0 }
    }

    /// Scans `data`, emits what is certain and returns how many bytes that covers; the rest must come again
    /// at the front of the next piece. With `last`, all of `data` is covered.
    pub fn scan(&mut self, data: &[u8], last: bool, emit: &mut impl FnMut(Op<'_>)) -> usize {
        let block = self.block_bytes();
        let (mut literal, mut at) = (0, 0);
        while data.len() - at >= block {
            let (run, found) = match self.follow(&data[at..], literal == at) {
                0 => (1, self.seek(data, &mut at)),
                run => (run, Some(self.next)),
            };
            let Some(found) = found else { break };
            self.literal(&data[literal..at], emit);
            self.copy(found, (run * block) as u64, emit);
            at += run * block;
            literal = at;
        }
        self.scanned += at as u64;
        if last {
            self.finish(&data[literal..], emit)
        } else {
            self.literal(&data[literal..at], emit)
        }
        if last { data.len() } else { at }
    }

    fn block_bytes(&self) -> usize {
        self.signature.spec().block_bytes as usize
    }

    /// The end of the file: it may end as the basis does, in a short block.
    fn finish(&mut self, rest: &[u8], emit: &mut impl FnMut(Op<'_>)) {
        let tail = self.signature.short_tail();
        let cut = rest.len().wrapping_sub(tail);
        if tail > 0 && tail <= rest.len() && self.is_tail(&rest[cut..]) {
            self.literal(&rest[..cut], emit);
            self.copy(self.signature.blocks() - 1, tail as u64, emit);
        } else {
            self.literal(rest, emit);
        }
        self.settle(emit);
    }

    fn is_tail(&self, bytes: &[u8]) -> bool {
        let block = self.signature.blocks() - 1;
        Rolling::over(bytes).value() == self.signature.weak(block)
            && self.equals(block, &self.signature.spec().strong(bytes))
    }

    /// How many blocks at the front of `data` are those that continue the last copy. After a copy that is the
    /// likely case, and comparing several at once is far quicker than searching.
    fn follow(&mut self, data: &[u8], after_copy: bool) -> usize {
        let left = self.index.full_blocks.saturating_sub(self.next);
        let blocks = left.min(self.ahead).min(data.len() / self.block_bytes());
        if !after_copy || blocks == 0 {
            return 0;
        }
        let entries = self.signature.spec().entries(&data[..blocks * self.block_bytes()]);
        let run = self.signature.equal_run(self.next, &entries);
        self.ahead = if run == blocks { (self.ahead * 2).min(MOST_AHEAD) } else { 1 };
        run
    }

    /// Moves `at` on to the next window that is a block, and gives the block; without one, to the last window.
    fn seek(&mut self, data: &[u8], at: &mut usize) -> Option<usize> {
        let block = self.block_bytes();
        let mut sum = Rolling::over(&data[*at..*at + block]);
        loop {
            *at += self.index.skip(&mut sum, &data[*at..], &data[*at + block..]);
            let found = self.find(sum.value(), &data[*at..*at + block], *at);
            if found.is_some() {
                return found;
            }
            sum.roll(data[*at], *data.get(*at + block)?);
            *at += 1;
        }
    }

    /// The block whose content `window` is.
    fn find(&mut self, weak: u32, window: &[u8], at: usize) -> Option<usize> {
        let candidates = self.index.candidates(weak);
        if candidates.is_empty() || self.is_rationed(at) {
            return None;
        }
        let strong = self.signature.spec().strong(window);
        if self.next < self.index.full_blocks && self.equals(self.next, &strong) {
            return Some(self.next);
        }
        let mut found = candidates.iter().map(|&(_, block)| block as usize);
        let found = found.find(|&block| self.equals(block, &strong));
        self.missed += u64::from(found.is_none());
        found
    }

    fn is_rationed(&self, at: usize) -> bool {
        let windows = (self.scanned + at as u64) / u64::from(self.signature.spec().block_bytes);
        self.missed > FREE_MISSES + windows * MISSES_PER_BLOCK
    }

    fn equals(&self, block: usize, strong: &StrongHash) -> bool {
        let known = self.signature.strong(block);
        strong[..known.len()] == *known
    }

    fn literal(&mut self, bytes: &[u8], emit: &mut impl FnMut(Op<'_>)) {
        if !bytes.is_empty() {
            self.settle(emit);
            emit(Op::Literal(bytes));
        }
    }

    fn copy(&mut self, block: usize, length: u64, emit: &mut impl FnMut(Op<'_>)) {
        let offset = block as u64 * u64::from(self.signature.spec().block_bytes);
        self.next = block + (length / self.signature.spec().block_bytes as u64) as usize;
        match &mut self.pending {
            Some((start, pending)) if *start + *pending == offset => *pending += length,
            _ => {
                self.settle(emit);
                self.pending = Some((offset, length));
            }
        }
    }

    fn settle(&mut self, emit: &mut impl FnMut(Op<'_>)) {
        if let Some((offset, length)) = self.pending.take() {
            emit(Op::Copy { offset, length });
        }
    }
}

/// Weak sums to blocks: a bitmap that answers most misses from cache, then buckets.
#[derive(Debug)]
struct Index {
    bitmap: Vec<u64>,
    bitmap_shift: u32,
    /// Weak sums and blocks, by hash of the weak sum; of blocks that are equal only the first.
    blocks: Vec<(u32, u32)>,
    /// Where each bucket of `blocks` starts, by the first bits of the hash; one more at the end.
    starts: Vec<u32>,
    starts_shift: u32,
    full_blocks: usize,
}

/// Multiplying spreads the sums (Knuth, 6.4); the high bits are the well mixed ones.
#[inline]
fn hash(weak: u32) -> u32 {
    weak.wrapping_mul(0x9e37_79b1)
}

impl Index {
    fn of(signature: &Signature) -> Index {
        let full_blocks = signature.blocks() - usize::from(signature.short_tail() > 0);
        let mut blocks: Vec<(u32, u32)> =
            (0..full_blocks).map(|block| (signature.weak(block), block as u32)).collect();
        let key =
            |&(weak, block): &(u32, u32)| (hash(weak), signature.strong(block as usize), block);
        blocks.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        blocks.dedup_by(|b, a| key(a).0 == key(b).0 && key(a).1 == key(b).1);
        // Sixty-four bits a block: one random position in sixty-four is looked up in vain.
        let bitmap_bits = (blocks.len().max(64) * 64).next_power_of_two().ilog2().min(26);
        let starts_bits = blocks.len().max(2).next_power_of_two().ilog2().min(24);
        let mut index = Index {
            bitmap: vec![0; 1 << (bitmap_bits - 6)],
            bitmap_shift: 32 - bitmap_bits,
            starts: Vec::with_capacity((1 << starts_bits) + 1),
            starts_shift: 32 - starts_bits,
            blocks,
            full_blocks,
        };
        index.fill(1 << starts_bits);
        index
    }

    fn fill(&mut self, buckets: u32) {
        for at in 0..self.blocks.len() {
            let (word, bit) = self.slot(self.blocks[at].0);
            self.bitmap[word] |= bit;
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

    #[inline]
    fn slot(&self, weak: u32) -> (usize, u64) {
        let hash = hash(weak) >> self.bitmap_shift;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    #[inline]
    fn may_have(&self, weak: u32) -> bool {
        let (word, bit) = self.slot(weak);
        self.bitmap[word] & bit != 0
    }

    /// Rolls on until a window may be a block, or no more bytes come; gives the number of bytes rolled.
    fn skip(&self, sum: &mut Rolling, gone: &[u8], come: &[u8]) -> usize {
        let mut rolled = 0;
        for (&gone, &come) in gone.iter().zip(come) {
            if self.may_have(sum.value()) {
                break;
            }
            sum.roll(gone, come);
            rolled += 1;
        }
        rolled
    }

    fn candidates(&self, weak: u32) -> &[(u32, u32)] {
        let bucket = (hash(weak) >> self.starts_shift) as usize;
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        let bucket = &self.blocks[start..end];
        // The hash is a permutation, so equal sums, and no others, stand side by side.
        let first = bucket.partition_point(|entry| hash(entry.0) < hash(weak));
        let same = bucket[first..].iter().take_while(|entry| entry.0 == weak);
        &bucket[first..first + same.take(CANDIDATES).count()]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SignatureSpec, sign};
    use super::*;
    use proptest::prelude::*;

    fn signed(basis: &[u8], spec: SignatureSpec) -> Signature {
        let mut entries = Vec::new();
        sign(basis, spec, |bytes| {
            entries.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        Signature::new(spec, basis.len() as u64, entries).unwrap()
    }

    /// Runs the search over pieces of `piece` bytes; gives the rebuilt file and the number of literal bytes.
    fn rebuild(basis: &[u8], new: &[u8], spec: SignatureSpec, piece: usize) -> (Vec<u8>, usize) {
        let signature = signed(basis, spec);
        let mut matcher = Matcher::new(&signature);
        let (mut rebuilt, mut literals) = (Vec::new(), 0);
        let mut emit = |op: Op<'_>| match op {
            Op::Literal(bytes) => {
                literals += bytes.len();
                rebuilt.extend_from_slice(bytes);
            }
            Op::Copy { offset, length } => {
                rebuilt.extend_from_slice(&basis[offset as usize..(offset + length) as usize]);
            }
        };
        let (mut buffer, mut fed) = (Vec::new(), 0);
        loop {
            let more = piece.min(new.len() - fed);
            buffer.extend_from_slice(&new[fed..fed + more]);
            fed += more;
            let last = fed == new.len();
            let covered = matcher.scan(&buffer, last, &mut emit);
            buffer.drain(..covered);
            if last {
                return (rebuilt, literals);
            }
        }
    }

    fn noise(length: usize, seed: u32) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        };
        (0..length).map(|_| next()).collect()
    }

    const SPEC: SignatureSpec = SignatureSpec { block_bytes: 256, strong_bytes: 8 };

    #[test]
    fn equal_files_are_one_copy_with_their_short_tail() {
        let data = noise(100_123, 7);
        assert_eq!(rebuild(&data, &data, SPEC, 1 << 20), (data.clone(), 0));
        assert_eq!(rebuild(&data, &data, SPEC, 1000), (data.clone(), 0));
    }

    #[test]
    fn an_edit_costs_about_its_block() {
        let data = noise(100_000, 3);
        let mut edited = data.clone();
        edited.splice(50_000..50_003, *b"hello");
        let (rebuilt, literals) = rebuild(&data, &edited, SPEC, 1 << 20);
        assert_eq!(rebuilt, edited);
        assert!(literals <= 2 * 256, "{literals}");
    }

    #[test]
    fn literals_are_no_more_than_those_of_fast_rsync() {
        let data = noise(60_000, 11);
        let mut edited = data.clone();
        for at in (500..58_000).step_by(4_000) {
            edited.splice(at..at + 2, *b"xyz");
        }
        let (_, ours) = rebuild(&data, &edited, SPEC, 1 << 20);
        let options = fast_rsync::SignatureOptions { block_size: 256, crypto_hash_size: 8 };
        let signature = fast_rsync::Signature::calculate(&data, options);
        let mut theirs = Vec::new();
        fast_rsync::diff(&signature.index(), &edited, &mut theirs).unwrap();
        assert!(ours <= theirs.len(), "{ours} literals, fast_rsync's delta {}", theirs.len());
    }

    #[test]
    fn pathological_data_ends() {
        let zeros = vec![0; 300_000];
        assert_eq!(rebuild(&zeros, &zeros, SPEC, 4096).1, 0);
        // Every window has the weak sum of a block, none its content: the two swapped bytes pairs keep it.
        let mut liar = signed(&noise(256, 1), SPEC);
        liar =
            Signature::new(SPEC, 256, [&liar.weak(0).to_be_bytes()[..], &[0; 8]].concat()).unwrap();
        let mut matcher = Matcher::new(&liar);
        let data = noise(256, 1).repeat(2000);
        let mut literals = 0;
        matcher.scan(&data, true, &mut |op| {
            if let Op::Literal(bytes) = op {
                literals += bytes.len();
            }
        });
        assert_eq!(literals, data.len());
    }

    proptest! {
        #[test]
        fn rebuilding_gives_the_new_file(
            basis in proptest::collection::vec(0_u8..4, 0..5000),
            cuts in proptest::collection::vec((any::<u16>(), any::<u16>(), 0..600_usize), 0..8),
            piece in 1..3000_usize,
        ) {
            let mut new = basis.clone();
            for (at, seed, length) in cuts {
                let at = usize::from(at) % (new.len() + 1);
                let end = (at + length / 2).min(new.len());
                new.splice(at..end, noise(length, u32::from(seed)));
            }
            let (rebuilt, _) = rebuild(&basis, &new, SPEC, piece);
            prop_assert_eq!(rebuilt, new);
        }
    }
}
