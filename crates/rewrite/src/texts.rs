//! The pairs, stored so that the longest old text that some bytes begin with is found quickly.

use std::cmp::Ordering;

use crate::filter::{hash, load};
use crate::{ALL_TEXT_BYTES, PAIRS, RewriteError, TEXT_BYTES};

/// An old text and the new one.
type TextPair<'p> = (&'p [u8], &'p [u8]);

/// No pair.
const NONE: u32 = u32::MAX;

/// The pairs, in buckets by a hash of the first bytes of the old text, sorted within a bucket.
#[derive(Debug)]
pub(super) struct Texts {
    /// Each old text, followed by its new text.
    bytes: Vec<u8>,
    pairs: Vec<Pair>,
    /// The start of each bucket in `pairs`, and the end of the last.
    starts: Vec<u32>,
    /// The right shift that turns a hash into the number of a bucket.
    shift: u32,
    /// The mask of the bytes that are hashed, of eight: those that every old text has.
    mask: u64,
    shortest: usize,
    longest: usize,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    /// Where in `bytes` it is.
    at: u32,
    old_bytes: u8,
    new_bytes: u8,
    /// The longest other old text that this one begins with, or [`NONE`].
    shorter: u32,
}

/// An old text that was found.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) old_bytes: usize,
    pub(super) new: &'t [u8],
}

impl Texts {
    pub(super) fn new<'p>(
        pairs: impl IntoIterator<Item = TextPair<'p>>,
    ) -> Result<Texts, RewriteError> {
        let given = distinct(pairs)?;
        let olds = || given.iter().map(|(old, _)| old.len());
        let shortest = olds().min().unwrap_or(*TEXT_BYTES.start());
        let longest = olds().max().unwrap_or(*TEXT_BYTES.start());
        // Two to four buckets per pair.
        let buckets_log = (given.len().max(1) * 2).next_power_of_two().ilog2();
        let mut texts = Texts {
            bytes: Vec::new(),
            pairs: Vec::with_capacity(given.len()),
            starts: Vec::with_capacity((1 << buckets_log) + 1),
            shift: 64 - buckets_log,
            mask: u64::MAX >> (64 - 8 * shortest.min(8)),
            shortest,
            longest,
        };
        texts.fill(given);
        Ok(texts)
    }

    fn fill(&mut self, mut given: Vec<TextPair<'_>>) {
        // Stable, so that a bucket stays sorted by old text.
        given.sort_by_key(|(old, _)| self.bucket(old));
        for bucket in 0..1 << (64 - self.shift) {
            self.starts.push(self.pairs.len() as u32);
            while let Some(&(old, new)) = given.get(self.pairs.len())
                && self.bucket(old) == bucket
            {
                self.push(old, new);
            }
        }
        self.starts.push(self.pairs.len() as u32);
    }

    fn push(&mut self, old: &[u8], new: &[u8]) {
        let shorter = self.shorter(old);
        let (old_bytes, new_bytes) = (old.len() as u8, new.len() as u8);
        self.pairs.push(Pair { at: self.bytes.len() as u32, old_bytes, new_bytes, shorter });
        self.bytes.extend_from_slice(old);
        self.bytes.extend_from_slice(new);
    }

    /// The longest old text so far that `old` begins with. They come in order, so it is the last
    /// one, or one that the last one begins with.
    fn shorter(&self, old: &[u8]) -> u32 {
        let mut at = (self.pairs.len() as u32).wrapping_sub(1);
        while at != NONE && !old.starts_with(self.old(at)) {
            at = self.pairs[at as usize].shorter;
        }
        at
    }

    /// The number of the bucket for bytes that begin like `text`.
    #[inline]
    fn bucket(&self, text: &[u8]) -> usize {
        (hash(load(text) & self.mask) >> self.shift) as usize
    }

    fn old(&self, at: u32) -> &[u8] {
        let pair = self.pairs[at as usize];
        &self.bytes[pair.at as usize..][..usize::from(pair.old_bytes)]
    }

    fn new_of(&self, at: u32) -> &[u8] {
        let pair = self.pairs[at as usize];
        &self.bytes[pair.at as usize + usize::from(pair.old_bytes)..][..usize::from(pair.new_bytes)]
    }

    /// All old texts.
    pub(super) fn olds(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.pairs.len() as u32).map(|at| self.old(at))
    }

    /// Bytes of the shortest old text.
    pub(super) fn shortest(&self) -> usize {
        self.shortest
    }

    /// Bytes of the longest old text.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The longest old text that `data` begins with.
    #[inline]
    pub(super) fn at_front(&self, data: &[u8]) -> Option<Found<'_>> {
        let bucket = self.bucket(data);
        let (first, last) = (self.starts[bucket], self.starts[bucket + 1]);
        if first == last { None } else { self.search(first, last, data) }
    }

    /// A text that `data` begins with is not after `data` in order, and all texts between the two
    /// begin with it as well. So the last text that is not after `data` is the longest one, or
    /// begins with it.
    fn search(&self, first: u32, last: u32, data: &[u8]) -> Option<Found<'_>> {
        let bucket = &self.pairs[first as usize..last as usize];
        let old = |pair: &Pair| &self.bytes[pair.at as usize..][..usize::from(pair.old_bytes)];
        let after = bucket.partition_point(|pair| old(pair).cmp(data) != Ordering::Greater);
        let mut at = (first + after as u32).wrapping_sub(1);
        if after == 0 {
            return None;
        }
        let equal = old(&self.pairs[at as usize]).iter().zip(data).take_while(|(a, b)| a == b);
        let equal = equal.count();
        while at != NONE {
            let pair = self.pairs[at as usize];
            if usize::from(pair.old_bytes) <= equal {
                return Some(Found { old_bytes: pair.old_bytes.into(), new: self.new_of(at) });
            }
            at = pair.shorter;
        }
        None
    }
}

/// The pairs in order of the old texts, each once, within bounds.
fn distinct<'p>(
    pairs: impl IntoIterator<Item = TextPair<'p>>,
) -> Result<Vec<TextPair<'p>>, RewriteError> {
    let (mut given, mut bytes) = (Vec::new(), 0);
    for (old, new) in pairs {
        for text in [old, new] {
            if !TEXT_BYTES.contains(&text.len()) {
                return Err(RewriteError::TextBytes(text.len()));
            }
            bytes += text.len();
        }
        if given.len() == PAIRS {
            return Err(RewriteError::TooMany);
        }
        if bytes > ALL_TEXT_BYTES {
            return Err(RewriteError::TooLarge);
        }
        given.push((old, new));
    }
    given.sort_unstable();
    given.dedup();
    let is_contradiction = |two: &[TextPair<'_>]| two[0].0 == two[1].0;
    if given.windows(2).any(is_contradiction) {
        return Err(RewriteError::Contradiction);
    }
    Ok(given)
}
