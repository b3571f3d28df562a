//! Finds what two contents in memory have in common, byte for byte.
//!
//! Where the sender still has what it published last, no signature is needed: the basis itself is indexed, one
//! window in so many bytes, and each position of the new content is looked up by a hash that rolls. A hit is
//! extended in both directions. Work is bounded whatever the data: few places are compared per hit, and
//! comparisons that lead to nothing are rationed.
//!
//! Source of the algorithm: J. Bentley and D. McIlroy, "Data Compression Using Long Common Strings" (1999),
//! the one of open-vcdiff and of git's `diff-delta.c`. The rolling hash is Gear (W. Xia and others, "Ddelta",
//! 2014), shifted by two bits a byte so that it forgets whatever is older than a window.

mod index;

use std::cmp::Reverse;
use std::ops::Range;

use index::{Index, WINDOW, gear, push};

/// How many bytes behind a run it is looked for whether the run goes on, before anything else.
const RESUME: usize = 64;

/// How far matches are extended to find the best; those that reach it are equally good.
const LONG_ENOUGH: usize = 1024;

/// Comparisons in vain that are always allowed, and how many bytes of new content earn another one.
const FREE_MISSES: usize = 4096;
const BYTES_PER_MISS: usize = 16;

/// The part of the basis shown for a gap may be so many times as long as the gap, and so many bytes more.
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

/// Describes `new` by ranges of `basis` of at least `shortest_copy` bytes, and what is left.
///
/// Finds what begins or ends both, what goes on after an edit, and in a basis of up to 4 MiB nearly every other
/// run of 64 bytes; in a larger one such runs must be longer in proportion, or are found by chance.
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

/// What `gap` new bytes stand for, between a copy that ends at `before` and one that begins at `after`. Too much
/// is cut at its end: what comes first in the gap more often resembles what was first there. Where copies go
/// backward nothing was there, and both sides of the last one are as good as any.
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

    /// The run that goes on a little behind the last one, as if bytes had been replaced by as many others: the
    /// most frequent edit of compiled files, where names hold fingerprints.
    fn resumed(&self) -> Option<EqualRange> {
        let basis = self.basis[self.basis_done..].windows(WINDOW);
        let mut windows = basis.zip(self.new[self.done..].windows(WINDOW)).take(RESUME);
        let skipped = windows.position(|(basis, new)| basis == new)?;
        self.run_through(self.basis_done + skipped, self.done + skipped)
    }

    /// The best run at the first position that has one, or at those a window further: only there do all the
    /// places of the basis meet the windows that are indexed of them.
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

    /// The run through `offset` of the basis and `at` of the new content, if it holds a window and is long
    /// enough.
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHORTEST: usize = 64;

    /// Bytes that never repeat (xorshift).
    fn noise(length: usize, seed: u32) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b1) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    /// Compares, checks what is promised of every answer, and gives it.
    fn checked(basis: &[u8], new: &[u8], shortest: usize) -> Vec<PatchOp> {
        let pieces = compare(basis, new, shortest);
        let mut rebuilt = Vec::new();
        for piece in &pieces {
            match piece {
                PatchOp::Copy { offset, length } => {
                    assert!(*length >= shortest, "{piece:?}");
                    rebuilt.extend_from_slice(&basis[*offset..offset + length]);
                }
                PatchOp::New { range, nearby } => {
                    assert!(!range.is_empty() && range.start == rebuilt.len(), "{piece:?}");
                    assert!(nearby.start <= nearby.end && nearby.end <= basis.len(), "{piece:?}");
                    assert!(nearby.len() <= range.len() * NEAR_FACTOR + NEAR_BYTES, "{piece:?}");
                    rebuilt.extend_from_slice(&new[range.clone()]);
                }
            }
        }
        assert!(rebuilt == new);
        pieces
    }

    fn new_bytes(pieces: &[PatchOp]) -> usize {
        let bytes = |piece: &PatchOp| match piece {
            PatchOp::New { range, .. } => range.len(),
            PatchOp::Copy { .. } => 0,
        };
        pieces.iter().map(bytes).sum()
    }

    #[test]
    fn a_changed_byte_is_one_new_byte_between_two_copies() {
        let basis = noise(1_000_000, 1);
        let mut new = basis.clone();
        new[500_000] ^= 1;
        let pieces = [
            PatchOp::Copy { offset: 0, length: 500_000 },
            PatchOp::New { range: 500_000..500_001, nearby: 500_000..500_001 },
            PatchOp::Copy { offset: 500_001, length: 499_999 },
        ];
        assert_eq!(checked(&basis, &new, SHORTEST), pieces);
    }

    #[test]
    fn edits_near_each_other_cost_their_bytes() {
        let basis = noise(100_000, 2);
        let mut new = basis.clone();
        for at in (1000..99_000).step_by(200).rev() {
            match at % 3 {
                0 => new[at] ^= 1,
                1 => drop(new.splice(at..at, *b"inserted")),
                _ => drop(new.drain(at..at + 5)),
            }
        }
        assert!(new_bytes(&checked(&basis, &new, SHORTEST)) <= 490 * 8);
    }

    #[test]
    fn what_was_moved_is_found() {
        let basis = noise(300_000, 3);
        let new = [&basis[200_000..], &basis[100_000..200_000], &basis[..100_000]].concat();
        let copy = |offset| PatchOp::Copy { offset, length: 100_000 };
        assert_eq!(checked(&basis, &new, SHORTEST), [copy(200_000), copy(100_000), copy(0)]);
    }

    #[test]
    fn every_run_of_the_promised_length_is_found() {
        let basis = noise(10_000, 4);
        for start in 5000..5000 + WINDOW {
            let run = &basis[start..start + 2 * WINDOW - 1];
            let new = [&noise(100, 5), run, &noise(100, 6)].concat();
            assert!(new_bytes(&checked(&basis, &new, run.len())) <= 200, "{start}");
        }
    }

    #[test]
    fn of_equal_runs_the_one_that_goes_on_is_taken() {
        let part = noise(1000, 7);
        let basis = [&noise(500, 8), &part[..], &noise(500, 9), &part, &noise(500, 10)].concat();
        let new = [&basis[1700..1900], &noise(2000, 11), &part].concat();
        let pieces = checked(&basis, &new, SHORTEST);
        assert_eq!(pieces.last(), Some(&PatchOp::Copy { offset: 2000, length: 1000 }));
    }

    #[test]
    fn the_shortest_copy_may_be_long() {
        let basis = noise(50_000, 19);
        let new = [&noise(100, 20), &basis[3..9_000], &noise(100, 21), &basis[1..12_000]].concat();
        assert_eq!(new_bytes(&checked(&basis, &new, 10_000)), 100 + 8_997 + 100);
    }

    #[test]
    fn a_gap_shows_what_was_there() {
        let basis = noise(50_000, 12);
        let new = [&basis[..20_000], &noise(100, 13), &basis[20_300..]].concat();
        let shown = |new: &[u8]| match &checked(&basis, new, SHORTEST)[1] {
            PatchOp::New { nearby, .. } => nearby.clone(),
            piece => panic!("{piece:?}"),
        };
        assert_eq!(shown(&new), 20_000..20_300);
        let much_gone = [&basis[..20_000], b"new", &basis[40_000..]].concat();
        assert_eq!(shown(&much_gone), 20_000..20_000 + 3 * NEAR_FACTOR + NEAR_BYTES);
        let backward = [&basis[30_000..40_000], b"new", &basis[10_000..20_000]].concat();
        assert_eq!(shown(&backward), 40_000 - 2054..40_000 + 2054);
    }

    #[test]
    fn pathological_data_ends() {
        let zeros = vec![0; 4 << 20];
        let dotted = |every: usize| {
            let mut data = zeros.clone();
            data.iter_mut().step_by(every).for_each(|byte| *byte = 1);
            data
        };
        let pattern = noise(16, 14).repeat(1 << 18);
        assert_eq!(new_bytes(&checked(&zeros, &[&zeros[..], &[1], &zeros].concat(), SHORTEST)), 1);
        assert_eq!(new_bytes(&checked(&pattern, &[&pattern[5..], &[1]].concat(), SHORTEST)), 12);
        // Every window is in the basis, in many places, and no match is long enough.
        checked(&zeros, &dotted(48), SHORTEST);
        checked(&dotted(47), &dotted(49), SHORTEST);
        checked(&pattern, &dotted(1), SHORTEST);
    }

    #[test]
    fn long_runs_of_a_large_basis_are_found() {
        let basis = noise(9 << 20, 15);
        let new = [&noise(100, 16), &basis[5_000_001..6_000_000], &noise(100, 17)].concat();
        assert_eq!(new_bytes(&checked(&basis, &new, SHORTEST)), 200);
    }

    #[test]
    fn common_ends_are_counted_to_the_byte() {
        for length in 0..40 {
            let equal = noise(length, 18);
            let (a, b) = ([&equal[..], b"a"].concat(), [&equal[..], b"bcdefghijkl"].concat());
            assert_eq!((common_prefix(&a, &b), common_prefix(&a, &equal)), (length, length));
            let (a, b) = ([b"a", &equal[..]].concat(), [b"bcdefghijkl", &equal[..]].concat());
            assert_eq!((common_suffix(&a, &b), common_suffix(&a, &equal)), (length, length));
        }
    }

    /// One change to a content: what to take, where to put it, and how.
    type Edit = (u16, u16, u16, u8);

    fn edited(basis: &[u8], edits: Vec<Edit>) -> Vec<u8> {
        let mut new = basis.to_vec();
        for (from, to, length, kind) in edits {
            let from = usize::from(from) % (new.len() + 1);
            let length = usize::from(length % 700).min(new.len() - from);
            let taken = match kind {
                0 => noise(length, from as u32),
                1 => new.drain(from..from + length).collect(),
                2 => new[from..from + length].to_vec(),
                _ => new.splice(from..from + length, noise(length / 2, 1)).take(0).collect(),
            };
            let to = usize::from(to) % (new.len() + 1);
            new.splice(to..to, taken);
        }
        new
    }

    proptest! {
        #[test]
        fn edited_content_is_rebuilt(
            seed in any::<u32>(),
            length in 0..20_000_usize,
            edits in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>(), 0..4_u8), 0..12),
            shortest in 0..200_usize,
        ) {
            let basis = noise(length, seed);
            checked(&basis, &edited(&basis, edits), shortest);
        }

        #[test]
        fn contents_of_few_bytes_are_rebuilt(
            basis in proptest::collection::vec(0..2_u8, 0..3000),
            new in proptest::collection::vec(0..2_u8, 0..3000),
            edits in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>(), 1..3_u8), 0..12),
        ) {
            checked(&basis, &new, SHORTEST);
            checked(&basis, &edited(&basis, edits), SHORTEST);
            checked(&new, &[], SHORTEST);
            checked(&[], &new, SHORTEST);
        }
    }
}
