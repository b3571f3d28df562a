//! Finds the blocks of a basis in a new file.
//!
//! The new file is pushed through in pieces; a window of one block rolls over it. At each position the weak
//! sum is looked up in an index of the signature; only where it hits is the MD4 computed. Work is bounded
//! whatever the data: MD4s that lead to nothing are rationed, so that neither equal weak sums nor a hostile
//! signature make it quadratic.

use assetsync_core::delta::{Signature, StrongHash};

use super::block_index::{Index, Sifted};
use super::rolling::{Sums, WeakSum};

/// MD4s in vain that are always allowed; each block's length of input earns another one.
const FREE_MISSES: u64 = 1024;

/// Most blocks that are compared at once where one follows the other.
const MOST_AHEAD: usize = 32;

/// How many blocks `fast_rsync` hashes side by side, in little more time than one.
const LANES: usize = 8;

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
    /// Whether so many blocks as are ever compared at once were the next ones.
    steady: bool,
    missed: u64,
    scanned: u64,
}

impl<'s> Matcher<'s> {
    /// Indexes `signature`.
    pub fn new(signature: &'s Signature) -> Matcher<'s> {
        let index = Index::of(signature);
        Matcher { signature, index, pending: None, next: 0, steady: false, missed: 0, scanned: 0 }
    }

    /// Scans `data`, emits what is certain and returns how many bytes that covers; the rest must come again
    /// at the front of the next piece. With `last`, all of `data` is covered.
    pub fn scan(&mut self, data: &[u8], last: bool, emit: &mut impl FnMut(Op<'_>)) -> usize {
        let block = self.block_bytes();
        let (mut literal, mut at) = (0, 0);
        while data.len() - at >= block {
            let (run, found) = match self.follow(&data[at..]) {
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
        WeakSum::over(bytes).value() == self.signature.weak(block)
            && self.equals(block, &self.signature.spec().strong(bytes))
    }

    /// How many blocks at the front of `data` are those that continue the last copy. After a copy that is the
    /// likely case, and comparing several at once is far quicker than searching.
    fn follow(&mut self, data: &[u8]) -> usize {
        let left = self.index.full_blocks().saturating_sub(self.next);
        let whole = data.len() / self.block_bytes();
        let most = left.min(whole).min(MOST_AHEAD);
        let blocks = if self.steady { most } else { self.alike(data, most) };
        if blocks == 0 {
            return 0;
        }
        let hashed = blocks.next_multiple_of(LANES).min(whole) * self.block_bytes();
        let entries = self.signature.spec().entries(&data[..hashed]);
        let run = self.signature.equal_run(self.next, &entries).min(left);
        self.steady = run == MOST_AHEAD;
        run
    }

    /// How many blocks at the front of `data`, of `most`, have the weak sums of the next ones. Where changes are
    /// frequent this saves the MD4s of what comes behind one.
    fn alike(&self, data: &[u8], most: usize) -> usize {
        let blocks = data.chunks_exact(self.block_bytes()).take(most).zip(self.next..);
        let alike = |&(bytes, block): &(&[u8], usize)| {
            WeakSum::over(bytes).value() == self.signature.weak(block)
        };
        blocks.take_while(alike).count()
    }

    /// Moves `at` on to the next window that is a block, and gives the block; without one, to the last window.
    fn seek(&mut self, data: &[u8], at: &mut usize) -> Option<usize> {
        let last = data.len() - self.block_bytes();
        loop {
            *at = self.allowed().max(*at).min(last);
            let found = self.seek_allowed(data, at);
            if found.is_some() || *at == last {
                return found;
            }
        }
    }

    /// Seeks only as far as MD4s are not rationed.
    fn seek_allowed(&mut self, data: &[u8], at: &mut usize) -> Option<usize> {
        let block = self.block_bytes();
        let first = WeakSum::over(&data[*at..*at + block]);
        let found = self.find(first.value(), &data[*at..*at + block], *at);
        if found.is_some() {
            return found;
        }
        let (mut sums, mut sifted) = (Sums::new(first, block), Sifted::default());
        while *at >= self.allowed() {
            let count = sums.roll(&data[*at..], &data[*at + block..]);
            for &window in self.index.sift(&sums, count, &mut sifted) {
                let start = *at + 1 + usize::from(window);
                let weak = sums.value(usize::from(window));
                if let Some(found) = self.find(weak, &data[start..start + block], start) {
                    *at = start;
                    return Some(found);
                }
            }
            *at += count;
            if count == 0 {
                break;
            }
        }
        None
    }

    /// The block whose content `window` is.
    fn find(&mut self, weak: u32, window: &[u8], at: usize) -> Option<usize> {
        let candidates = self.index.candidates(weak);
        if candidates.is_empty() || at < self.allowed() {
            return None;
        }
        let strong = self.signature.spec().strong(window);
        if self.is_next(weak, &strong) {
            return Some(self.next);
        }
        let known = &strong[..self.signature.spec().strong_bytes.into()];
        let order = |&(_, block): &(u32, u32)| self.signature.strong(block as usize).cmp(known);
        let found = candidates.binary_search_by(order);
        self.missed += u64::from(found.is_err());
        found.ok().map(|place| candidates[place].1 as usize)
    }

    /// Whether the sums are those of the block that continues the last copy.
    fn is_next(&self, weak: u32, strong: &StrongHash) -> bool {
        self.next < self.index.full_blocks()
            && self.signature.weak(self.next) == weak
            && self.equals(self.next, strong)
    }

    /// From where in the data on another MD4 may be in vain.
    fn allowed(&self) -> usize {
        let blocks = self.missed.saturating_sub(FREE_MISSES);
        let bytes = blocks.saturating_mul(self.signature.spec().block_bytes.into());
        usize::try_from(bytes.saturating_sub(self.scanned)).unwrap_or(usize::MAX)
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

#[cfg(test)]
mod tests {
    use assetsync_core::delta::{SignatureSpec, sign};
    use proptest::prelude::*;

    use super::*;

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

    /// Bytes of the delta of `fast_rsync`, which has all literals in it.
    fn theirs(basis: &[u8], new: &[u8]) -> usize {
        let options = fast_rsync::SignatureOptions { block_size: 256, crypto_hash_size: 8 };
        let signature = fast_rsync::Signature::calculate(basis, options);
        let mut delta = Vec::new();
        fast_rsync::diff(&signature.index(), new, &mut delta).unwrap();
        delta.len()
    }

    #[test]
    fn literals_are_no_more_than_those_of_fast_rsync() {
        let data = noise(60_000, 11);
        let mut edited = data.clone();
        for at in (500..58_000).step_by(4_000) {
            edited.splice(at..at + 2, *b"xyz");
        }
        let (_, ours) = rebuild(&data, &edited, SPEC, 1 << 20);
        assert!(ours <= theirs(&data, &edited), "{ours}");
    }

    /// Blocks of which no two are equal, and all have the same weak sum: one more, two less and one more at
    /// neighbouring bytes change neither half of it.
    fn twins(count: usize) -> Vec<Vec<u8>> {
        let twin = |number: usize| {
            let mut block = vec![100; 256];
            for (place, step) in [number % 250, number / 250 * 3].into_iter().zip([1, 4]) {
                block[place] += step;
                block[place + 1] -= 2 * step;
                block[place + 2] += step;
            }
            block
        };
        (0..count).map(twin).collect()
    }

    #[test]
    fn blocks_of_equal_weak_sums_are_told_apart() {
        let twins = twins(1500);
        let weak = WeakSum::over(&twins[0]).value();
        assert!(twins.iter().all(|twin| WeakSum::over(twin).value() == weak));
        let basis = twins.concat();
        let new: Vec<u8> = (0..1500).flat_map(|at| twins[at * 7 % 1500].clone()).collect();
        assert_eq!(rebuild(&basis, &new, SPEC, 1 << 20), (new.clone(), 0));
        let edited = [&new[..100_000], b"edit", &new[100_000..]].concat();
        let (rebuilt, ours) = rebuild(&basis, &edited, SPEC, 1 << 20);
        assert_eq!(rebuilt, edited);
        assert!(ours <= theirs(&basis, &edited), "{ours}");
    }

    #[test]
    fn after_misses_were_rationed_blocks_are_found_again() {
        let basis = [&twins(200).concat(), &noise(20_000, 5)[..]].concat();
        // Windows by the thousand that have the weak sum of two hundred blocks, and the content of none.
        let alike = vec![100; 3000 * 256];
        let new = [&alike, &noise(20_000, 5)[..]].concat();
        for piece in [1000, 1 << 20] {
            let (rebuilt, literals) = rebuild(&basis, &new, SPEC, piece);
            assert!(rebuilt == new);
            assert!(literals <= alike.len() + 2 * 256, "{literals}");
        }
    }

    #[test]
    fn the_next_block_must_have_both_sums() {
        let block = noise(256, 21);
        let entry = signed(&block, SPEC).weak(0).to_be_bytes();
        let strong = SPEC.strong(&block);
        let other = (u32::from_be_bytes(entry) ^ 1).to_be_bytes();
        let entries = [&entry[..], &strong[..8], &other, &strong[..8]].concat();
        let signature = Signature::new(SPEC, 512, entries).unwrap();
        let mut copies = Vec::new();
        Matcher::new(&signature).scan(&block.repeat(2), true, &mut |op| {
            if let Op::Copy { offset, length } = op {
                copies.push((offset, length));
            }
        });
        assert_eq!(copies, [(0, 256), (0, 256)]);
    }

    #[test]
    fn long_runs_end_where_the_files_differ() {
        let data = noise(256 * 200 + 77, 13);
        for at in [0, 255, 256, 256 * 33, 256 * 40 + 3, 256 * 199, 256 * 200 + 76] {
            let mut edited = data.clone();
            edited[at] ^= 1;
            let block = if at < 256 * 200 { 256 } else { 77 };
            assert_eq!(rebuild(&data, &edited, SPEC, 1 << 20), (edited, block), "{at}");
        }
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
            let (rebuilt, ours) = rebuild(&basis, &new, SPEC, piece);
            prop_assert!(ours <= theirs(&basis, &new), "{} literals", ours);
            prop_assert_eq!(rebuilt, new);
        }

        #[test]
        fn whatever_was_moved_literals_are_no_more_than_those_of_fast_rsync(
            basis in proptest::collection::vec(0..40_usize, 0..40),
            new in proptest::collection::vec((0..40_usize, 0..300_usize), 0..40),
            piece in 300..3000_usize,
        ) {
            let twins = twins(40);
            let basis: Vec<u8> = basis.into_iter().flat_map(|twin| twins[twin].clone()).collect();
            let cut = |(twin, length): (usize, usize)| twins[twin][..length.min(256)].to_vec();
            let new: Vec<u8> = new.into_iter().flat_map(cut).collect();
            let (rebuilt, ours) = rebuild(&basis, &new, SPEC, piece);
            prop_assert!(ours <= theirs(&basis, &new), "{} literals", ours);
            prop_assert_eq!(rebuilt, new);
        }
    }
}
