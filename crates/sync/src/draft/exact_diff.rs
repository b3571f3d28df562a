//! Finds what two contents in memory have in common, byte for byte.
//!
//! If the sender still has the basis, no signature is needed: the basis itself is indexed, one
//! window every few bytes, and each position of the new content is looked up by a rolling hash. A
//! hit is extended in both directions. The work is bounded for any data: few places are compared
//! per hit, and failed comparisons are rationed.
//!
//! Source of the algorithm: J. Bentley and D. McIlroy, "Data Compression Using Long Common Strings"
//! (1999), the one of open-vcdiff and of git's `diff-delta.c`. The rolling hash is Gear (W. Xia and
//! others, "Ddelta", 2014), shifted by two bits a byte so that it forgets whatever is older than a
//! window.

mod index;

use std::cmp::Reverse;
use std::ops::Range;

use index::{Index, WINDOW, gear, push};

/// How many bytes behind a run are checked first for a continuation of the run.
const RESUME: usize = 64;

/// How far matches are extended to find the best; those that reach it are equally good.
const LONG_ENOUGH: usize = 1024;

/// Failed comparisons that are always allowed, and how many bytes of new content allow another one.
const FREE_MISSES: usize = 4096;
const BYTES_PER_MISS: usize = 16;

/// The part of the basis shown for a gap may be this many times as long as the gap, and this many
/// bytes longer.
const NEAR_FACTOR: usize = 4;
const NEAR_BYTES: usize = 4096;

/// A piece of new content, in order; pieces cover the new content exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchOp {
    /// This range of the basis comes next.
    Copy {
        /// First byte in the basis.
        offset: usize,
        /// Bytes.
        length: usize,
    },
    /// These bytes of the new content come next.
    New {
        /// Where they are in the new content.
        range: Range<usize>,
        /// The part of the basis that most likely was there before; may be empty.
        nearby: Range<usize>,
    },
}

impl PatchOp {
    /// Bytes of new content.
    pub fn new_bytes(&self) -> u64 {
        match self {
            PatchOp::New { range, .. } => range.len() as u64,
            PatchOp::Copy { .. } => 0,
        }
    }
}

/// Describes `new` by ranges of `basis` of at least `shortest_copy` bytes, and what is left.
///
/// Finds what begins or ends both, what goes on after an edit, and in a basis of up to 4 MiB nearly
/// every other run of 64 bytes; in a larger one such runs must be longer in proportion, or are
/// found by chance.
pub fn compare(basis: &[u8], new: &[u8], shortest_copy: usize) -> Vec<PatchOp> {
    let shortest = shortest_copy.max(1);
    let long = |length: usize| if length < shortest { 0 } else { length };
    let head = long(common_prefix(basis, new));
    let tail = long(common_suffix(&basis[head..], &new[head..]));
    let mut copies = EqualRanges::default();
    copies.add(EqualRange { offset: 0, start: 0, length: head });
    let middle = head..new.len() - tail;
    if middle.len() >= shortest.max(WINDOW) && basis.len() >= WINDOW {
        Search::new(basis, &new[..middle.end], shortest, head).run(&mut copies);
    }
    copies.add(EqualRange { offset: basis.len() - tail, start: middle.end, length: tail });
    copies.pieces(basis.len(), new.len())
}

/// Equal bytes: `length` of them, at `offset` of the basis and at `start` of the new content.
#[derive(Debug, Clone, Copy)]
struct EqualRange {
    offset: usize,
    start: usize,
    length: usize,
}

impl EqualRange {
    /// Where it ends in the basis.
    fn basis_end(&self) -> usize {
        self.offset + self.length
    }

    /// Where it ends in the new content.
    fn end(&self) -> usize {
        self.start + self.length
    }
}

/// The runs found, in the order of the new content.
#[derive(Debug, Default)]
struct EqualRanges {
    runs: Vec<EqualRange>,
}

impl EqualRanges {
    /// Adds a run behind the others; one that continues the last becomes part of it.
    fn add(&mut self, run: EqualRange) {
        match self.runs.last_mut() {
            _ if run.length == 0 => {}
            Some(last) if last.basis_end() == run.offset && last.end() == run.start => {
                last.length += run.length;
            }
            _ => self.runs.push(run),
        }
    }

    fn pieces(self, basis_bytes: usize, new_bytes: usize) -> Vec<PatchOp> {
        let mut pieces = Vec::with_capacity(2 * self.runs.len() + 1);
        let mut before = EqualRange { offset: 0, start: 0, length: 0 };
        let end = EqualRange { offset: basis_bytes, start: new_bytes, length: 0 };
        for run in self.runs.into_iter().chain([end]) {
            let range = before.end()..run.start;
            if !range.is_empty() {
                let nearby = nearby(before.basis_end(), run.offset, range.len(), basis_bytes);
                pieces.push(PatchOp::New { range, nearby });
            }
            if run.length > 0 {
                pieces.push(PatchOp::Copy { offset: run.offset, length: run.length });
            }
            before = run;
        }
        pieces
    }
}

/// The old bytes that `gap` new bytes stand for, between a copy that ends at `before` and one that
/// begins at `after`. Too much is cut at its end: what comes first in the gap more often resembles
/// what was first there. Where copies go backward nothing was there, and both sides of the last one
/// are as good as any.
fn nearby(before: usize, after: usize, gap: usize, basis_bytes: usize) -> Range<usize> {
    let most = gap.saturating_mul(NEAR_FACTOR).saturating_add(NEAR_BYTES);
    if before <= after {
        before..after.min(before.saturating_add(most))
    } else {
        before.saturating_sub(most / 2)..basis_bytes.min(before.saturating_add(most / 2))
    }
}

/// A walk over the new content that looks every window up.
struct Search<'a> {
    basis: &'a [u8],
    new: &'a [u8],
    shortest: usize,
    index: Index,
    /// The end of the last run.
    done: usize,
    /// The end of the last run in the basis.
    basis_done: usize,
    misses: usize,
}

impl<'a> Search<'a> {
    /// A search in `new` from `head` on, up to where it equals the basis.
    fn new(basis: &'a [u8], new: &'a [u8], shortest: usize, head: usize) -> Search<'a> {
        let index = Index::of(basis);
        Search { basis, new, shortest, index, done: head, basis_done: head, misses: 0 }
    }

    fn run(mut self, copies: &mut EqualRanges) {
        while let Some(run) = self.next() {
            copies.add(run);
            (self.done, self.basis_done) = (run.end(), run.basis_end());
        }
    }

    /// The next run behind the last one.
    fn next(&mut self) -> Option<EqualRange> {
        let run = self.resumed().or_else(|| self.found())?;
        Some(self.extended(run, usize::MAX))
    }

    /// The run that goes on a little behind the last one, as if bytes had been replaced by as many
    /// others: the most frequent edit of compiled files, where names hold fingerprints.
    fn resumed(&self) -> Option<EqualRange> {
        let basis = self.basis[self.basis_done..].windows(WINDOW);
        let mut windows = basis.zip(self.new[self.done..].windows(WINDOW)).take(RESUME);
        let skipped = windows.position(|(basis, new)| basis == new)?;
        self.run_through(self.basis_done + skipped, self.done + skipped)
    }

    /// The best run at the first position that has one, or at those a window further: only there do
    /// all the places of the basis meet the windows that are indexed of them.
    fn found(&mut self) -> Option<EqualRange> {
        let (mut new, mut at, mut best) = (self.new, self.done, None);
        let mut hash = gear(new.get(at..at + WINDOW)?);
        loop {
            at += self.index.skip(&mut hash, &new[at + WINDOW..]);
            let run = self.best_at(at, hash);
            if best.is_none() && run.is_some() {
                new = &new[..new.len().min(at + 2 * WINDOW)];
            }
            best = self.better(best, run);
            let Some(&come) = new.get(at + WINDOW) else { return best };
            hash = push(hash, come);
            at += 1;
        }
    }

    /// The best run that holds the window at `at`.
    fn best_at(&mut self, at: usize, hash: u64) -> Option<EqualRange> {
        if self.misses > FREE_MISSES + at / BYTES_PER_MISS {
            return None;
        }
        let expected = self.basis_done + (at - self.done);
        let mut found = self.index.nearby(hash, expected).peekable();
        found.peek()?;
        let mut best = None;
        for offset in std::iter::once(expected).chain(found) {
            let run = self.run_through(offset, at);
            self.misses += usize::from(run.is_none());
            best = self.better(best, run);
        }
        best
    }

    /// The longer run, or the one that lies as the last one did, as far as both are known.
    fn better(&self, a: Option<EqualRange>, b: Option<EqualRange>) -> Option<EqualRange> {
        let shift =
            |run: EqualRange| (run.offset + self.done).abs_diff(run.start + self.basis_done);
        let rank = |run: EqualRange| (run.length.min(LONG_ENOUGH), Reverse(shift(run)));
        if a.map(rank) < b.map(rank) { b } else { a }
    }

    /// The run through `offset` of the basis and `at` of the new content, if it holds a window and
    /// is long enough.
    fn run_through(&self, offset: usize, at: usize) -> Option<EqualRange> {
        let window = self.basis.get(offset..offset + WINDOW)?;
        if window != self.new.get(at..at + WINDOW)? {
            return None;
        }
        let most = self.shortest.max(LONG_ENOUGH);
        let run = self.extended(EqualRange { offset, start: at, length: WINDOW }, most);
        (run.length >= self.shortest).then_some(run)
    }

    /// `run` and what is equal around it, up to `most` bytes on each side; not into the last run.
    fn extended(&self, run: EqualRange, most: usize) -> EqualRange {
        let ahead = &self.new[run.end()..][..most.min(self.new.len() - run.end())];
        let behind = &self.new[run.start.saturating_sub(most).max(self.done)..run.start];
        let more = common_prefix(&self.basis[run.basis_end()..], ahead);
        let back = common_suffix(&self.basis[..run.offset], behind);
        EqualRange {
            offset: run.offset - back,
            start: run.start - back,
            length: back + run.length + more,
        }
    }
}

/// How many bytes `a` and `b` have in common at their fronts.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_chunks().0.iter().zip(b.as_chunks().0);
    let differ = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
    let mut equal = 0;
    for difference in words.map(differ) {
        if difference != 0 {
            return equal + difference.trailing_zeros() as usize / 8;
        }
        equal += 8;
    }
    equal + a[equal..].iter().zip(&b[equal..]).take_while(|(a, b)| a == b).count()
}

/// How many bytes `a` and `b` have in common at their ends.
fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let words = a.as_rchunks().1.iter().rev().zip(b.as_rchunks().1.iter().rev());
    let differ = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_be_bytes(*a) ^ u64::from_be_bytes(*b);
    let mut equal = 0;
    for difference in words.map(differ) {
        if difference != 0 {
            return equal + difference.trailing_zeros() as usize / 8;
        }
        equal += 8;
    }
    let rest = a[..a.len() - equal].iter().rev().zip(b[..b.len() - equal].iter().rev());
    equal + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests;
