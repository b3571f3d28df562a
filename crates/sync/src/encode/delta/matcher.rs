//! Finds the blocks of a basis in a new file.
//!
//! The new file comes in pieces; a window of one block rolls over it. At each position the weak sum
//! is looked up in an index of the signature, and the MD4 is computed only if it is found. The work
//! is bounded for any data: MD4s without a match are rationed, so that neither equal weak sums nor
//! a hostile signature make it quadratic.
//!
//! A quick search skips parts of a file in which nothing has been found for a while, more the
//! longer that is, as LZ4 does. It looks at one position after the other for a block's length
//! before it skips again, so it finds whatever goes on for three blocks more than it skips; and
//! what it skipped of that, it finds when it looks back.

use assetsync_core::delta::{Signature, StrongHash};

use super::block_index::{Index, Sifted};
use super::rolling::{Sums, WeakSum};

/// MD4s without a match that are always allowed; each block's length of input allows another one.
const FREE_MISSES: u64 = 1024;

/// Most blocks that are compared at once where one follows the other.
const MOST_AHEAD: usize = 32;

/// A quick search skips one more block's length for each so many bytes in which it found nothing.
const BYTES_PER_SKIP: usize = 8 * 1024;

/// Most lengths of a block that it skips at once.
const MOST_SKIPPED: usize = 8;

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

impl Op<'_> {
    /// Bytes of new content.
    pub fn new_bytes(&self) -> u64 {
        match self {
            Op::Literal(bytes) => bytes.len() as u64,
            Op::Copy { .. } => 0,
        }
    }
}

/// Where blocks are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// At every position.
    Thorough,
    /// At few positions where nothing is found.
    Quick,
}

/// A search over one signature.
#[derive(Debug)]
pub struct Matcher<'s> {
    signature: &'s Signature,
    index: Index,
    search: Search,
    /// The copy not yet emitted: ranges that touch are joined.
    pending: Option<(u64, u64)>,
    /// The block that would continue the last copy.
    next: usize,
    /// Whether the last comparison matched as many blocks as are ever compared at once.
    steady: bool,
    missed: u64,
    scanned: u64,
    /// Positions at which nothing was found since the last block that was.
    unmatched: usize,
}

impl<'s> Matcher<'s> {
    /// Indexes `signature`.
    pub fn new(signature: &'s Signature) -> Matcher<'s> {
        let (index, search) = (Index::of(signature), Search::Thorough);
        let (pending, next, steady) = (None, 0, false);
        let (missed, scanned, unmatched) = (0, 0, 0);
        Matcher { signature, index, search, pending, next, steady, missed, scanned, unmatched }
    }

    /// Scans `data`, emits what is certain and returns how many bytes that covers; the rest must
    /// come again at the front of the next piece. With `last`, all of `data` is covered.
    pub fn scan(
        &mut self,
        data: &[u8],
        last: bool,
        search: Search,
        emit: &mut impl FnMut(Op<'_>),
    ) -> usize {
        self.search = search;
        let block = self.block_bytes();
        let (mut literal, mut at) = (0, 0);
        while data.len() - at >= block {
            let (run, found) = match self.follow(&data[at..]) {
                0 => (1, self.seek(data, &mut at)),
                run => (run, Some(self.next)),
            };
            let Some(found) = found else { break };
            let before = self.run_before(found, &data[literal..at]);
            let (found, run, start) = (found - before, before + run, at - before * block);
            self.literal(&data[literal..start], emit);
            self.copy(found, (run * block) as u64, emit);
            at = start + run * block;
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
        self.is_block(self.signature.blocks() - 1, bytes)
    }

    fn is_block(&self, block: usize, bytes: &[u8]) -> bool {
        WeakSum::over(bytes).value() == self.signature.weak(block)
            && self.equals(block, &self.signature.spec().strong(bytes))
    }

    /// How many blocks before block `found` are at the end of `skipped`, the data before it.
    fn run_before(&self, found: usize, skipped: &[u8]) -> usize {
        let before = skipped.rchunks_exact(self.block_bytes()).zip((0..found).rev());
        before.take_while(|&(bytes, block)| self.is_block(block, bytes)).count()
    }

    /// How many blocks at the front of `data` are those that continue the last copy. After a copy
    /// that is the likely case, and comparing several at once is far quicker than searching.
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

    /// How many blocks at the front of `data`, of `most`, have the weak sums of the next ones.
    /// Where changes are frequent this saves the MD4s of what comes behind one.
    fn alike(&self, data: &[u8], most: usize) -> usize {
        let blocks = data.chunks_exact(self.block_bytes()).take(most).zip(self.next..);
        let alike = |&(bytes, block): &(&[u8], usize)| {
            WeakSum::over(bytes).value() == self.signature.weak(block)
        };
        blocks.take_while(alike).count()
    }

    /// Moves `at` on to the next window that is a block, and gives the block; without one, to the
    /// last window.
    fn seek(&mut self, data: &[u8], at: &mut usize) -> Option<usize> {
        let last = data.len() - self.block_bytes();
        loop {
            *at = self.allowed().max(*at).min(last);
            let from = *at;
            let found = self.seek_allowed(data, at);
            self.unmatched = if found.is_some() { 0 } else { self.unmatched + *at - from };
            if found.is_some() || *at == last {
                return found;
            }
            *at += self.skipped();
        }
    }

    /// How many positions are searched before some are skipped.
    fn stretch(&self) -> usize {
        match self.search {
            Search::Thorough => usize::MAX,
            Search::Quick => self.block_bytes(),
        }
    }

    /// How many positions are skipped after a stretch in which nothing was found.
    fn skipped(&self) -> usize {
        match self.search {
            Search::Thorough => 0,
            Search::Quick => {
                (self.unmatched / BYTES_PER_SKIP).min(MOST_SKIPPED) * self.block_bytes()
            }
        }
    }

    /// Seeks only for a stretch, and as far as MD4s are not rationed.
    fn seek_allowed(&mut self, data: &[u8], at: &mut usize) -> Option<usize> {
        let block = self.block_bytes();
        let first = WeakSum::over(&data[*at..*at + block]);
        let found = self.find(first.value(), &data[*at..*at + block], *at);
        if found.is_some() {
            return found;
        }
        let (mut sums, mut sifted) = (Sums::new(first, block), Sifted::default());
        let end = at.saturating_add(self.stretch());
        while *at < end && *at >= self.allowed() {
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
mod tests;
