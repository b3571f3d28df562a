//! A sliding window over the plain text: the last 32 KiB, the bytes ahead, and hash chains of
//! earlier strings.

use std::io::{self, Read};

use super::RegzipError;
use super::crc::Crc;
use super::limits::{WORK_AT_LEAST, WORK_PER_BYTE};
use super::preset::{Hash, Preset, spread};
use super::token::{MAX_DISTANCE, MAX_MATCH, MIN_MATCH, Match};

/// Bytes in the buffer, before and after the position together.
const BUFFER: usize = 128 * 1024;

/// Bytes that are always available after the position, except at the end: a lazy match reads one
/// byte more than a match, and a hash up to four more.
const MAX_LEAD: usize = 1024;

/// Number of hashes.
const HEADS: usize = 1 << 16;

/// The same for [`Short`]: small enough for a fast cache.
const SHORT_HEADS: usize = 1 << 15;

/// Number of positions that a chain can hold.
const LINKS: usize = MAX_DISTANCE;

/// Plain text and a position in it.
pub struct Window<'r> {
    source: &'r mut dyn Read,
    /// Bytes that are still to be read from `source`.
    unread: u64,
    buffer: Vec<u8>,
    /// Offset of the buffer in the text.
    base: usize,
    /// The position, in the buffer.
    at: usize,
    chains: Chains,
    crc: Crc,
    /// Links followed so far, and other work in the same unit.
    work: u64,
}

/// Hash chains: for each string the earlier ones with the same hash, the nearest first.
struct Chains {
    hash: Hash,
    /// For each hash its last position in the text, plus one; 0 is none.
    heads: Box<[u32; HEADS]>,
    /// For each position, modulo the number of positions, the distance to the previous one in its
    /// chain; 0 is none.
    links: Box<[u16; LINKS]>,
    /// The nearest strings that are too short for [`Hash::Long`].
    short: Option<Short>,
}

/// A table on the heap that is not built on the stack first.
fn zeros<T: Clone + Default, const SIZE: usize>() -> Box<[T; SIZE]> {
    match vec![T::default(); SIZE].into_boxed_slice().try_into() {
        Ok(table) => table,
        Err(_) => unreachable!("the vector has that size"),
    }
}

/// The last positions of strings of three and of four bytes.
struct Short {
    /// By hash, as in [`Chains`].
    heads: [Box<[u32; SHORT_HEADS]>; 2],
    /// The heads before the last insertion: a position may be inserted before it is looked up.
    before: [u32; 2],
}

impl Short {
    fn new() -> Short {
        Short { heads: [zeros(), zeros()], before: [0; 2] }
    }

    fn insert(&mut self, text: &[u8], place: usize) {
        for (which, heads) in self.heads.iter_mut().enumerate() {
            let head = &mut heads[spread(text, MIN_MATCH + which) % SHORT_HEADS];
            self.before[which] = std::mem::replace(head, place as u32 + 1);
        }
    }

    /// The distance from `place` to the last string that may share `length` bytes with `text`.
    #[inline]
    fn back(&self, text: &[u8], place: usize, length: usize) -> Option<usize> {
        let which = length - MIN_MATCH;
        let head = self.heads[which][spread(text, length) % SHORT_HEADS] as usize;
        let head = if head == place + 1 { self.before[which] as usize } else { head };
        (head != 0).then(|| (place + 1).wrapping_sub(head))
    }
}

impl Chains {
    fn new(hash: Hash) -> Chains {
        let short = (hash == Hash::Long).then(Short::new);
        Chains { hash, heads: zeros(), links: zeros(), short }
    }

    fn insert(&mut self, text: &[u8], place: usize) {
        if text.len() < self.hash.bytes() {
            return;
        }
        if let Some(short) = &mut self.short {
            short.insert(text, place);
        }
        let head = &mut self.heads[self.hash.of(text) % HEADS];
        let back = (place + 1).wrapping_sub(*head as usize);
        let is_linked = *head != 0 && back <= MAX_DISTANCE;
        self.links[place % LINKS] = if is_linked { back as u16 } else { 0 };
        *head = place as u32 + 1;
    }

    /// The distance from `place`, where `text` is, to the start of its chain.
    #[inline]
    fn first(&self, text: &[u8], place: usize) -> Option<usize> {
        let head = self.heads[self.hash.of(text) % HEADS] as usize;
        match (place + 1).wrapping_sub(head) {
            _ if head == 0 => None,
            // The position itself, if it was inserted before it was looked up.
            0 => self.next(place, 0),
            back => Some(back),
        }
    }

    /// The distance after `back` in the chain of `place`.
    #[inline]
    fn next(&self, place: usize, back: usize) -> Option<usize> {
        let link = usize::from(self.links[place.wrapping_sub(back) % LINKS]);
        (link != 0).then_some(back + link)
    }
}

impl<'r> Window<'r> {
    /// `size` bytes of plain text from `source`, with the chains of `preset`.
    pub fn new(source: &'r mut dyn Read, size: u64, preset: &Preset) -> io::Result<Window<'r>> {
        let buffer = Vec::with_capacity(BUFFER.min(size.try_into().unwrap_or(BUFFER)));
        let chains = Chains::new(preset.hash);
        let mut window = Window {
            source,
            unread: size,
            buffer,
            base: 0,
            at: 0,
            chains,
            crc: Crc::new(),
            work: 0,
        };
        window.fill()?;
        Ok(window)
    }

    /// Bytes before the position.
    pub fn position(&self) -> u64 {
        (self.base + self.at) as u64
    }

    /// Bytes from the position to the end of the text.
    pub fn remaining(&self) -> u64 {
        self.ahead().len() as u64 + self.unread
    }

    /// The bytes from the position on: all, or enough for every caller.
    pub fn ahead(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Counts other work as this many links.
    pub fn count_work(&mut self, links: u64) {
        self.work += links;
    }

    /// Whether the search is within its limit for the text so far.
    pub fn check_work(&self) -> Result<(), RegzipError> {
        let allowed = WORK_AT_LEAST + WORK_PER_BYTE * self.position();
        if self.work > allowed { Err(RegzipError::TooMuchWork) } else { Ok(()) }
    }

    /// The checksum of the text, once all of it was read.
    pub fn crc(&self) -> u32 {
        self.crc.value()
    }

    /// Advances by `length` bytes, at most [`MAX_MATCH`] and the rest of the text, and inserts the
    /// strings that begin in the first `remembered` bytes from `skip` on.
    pub fn advance(&mut self, length: usize, remembered: std::ops::Range<usize>) -> io::Result<()> {
        for offset in remembered {
            self.remember(offset);
        }
        self.at += length;
        if self.ahead().len() < MAX_LEAD && self.unread > 0 { self.fill() } else { Ok(()) }
    }

    /// Inserts the string that begins `offset` bytes ahead.
    #[inline]
    pub fn remember(&mut self, offset: usize) {
        let at = self.at + offset;
        self.chains.insert(&self.buffer[at..], self.base + at);
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.at > MAX_DISTANCE {
            let gone = self.at - MAX_DISTANCE;
            self.buffer.drain(..gone);
            self.base += gone;
            self.at = MAX_DISTANCE;
        }
        let held = self.buffer.len();
        let more = (BUFFER - held).min(self.unread.try_into().unwrap_or(usize::MAX));
        self.buffer.resize(held + more, 0);
        self.source.read_exact(&mut self.buffer[held..])?;
        self.crc.update(&self.buffer[held..]);
        self.unread -= more as u64;
        Ok(())
    }

    /// The longest match for the string `offset` bytes ahead, as zlib's `longest_match` finds it:
    /// the nearest one of its length, longer than `floor` (2 or more), or the first of `nice`
    /// bytes, among at most `links` candidates.
    pub fn longest(
        &mut self,
        preset: &Preset,
        offset: usize,
        floor: usize,
        links: u32,
    ) -> Option<Match> {
        let at = self.at + offset;
        let text = self.buffer.get(at..)?;
        let text = &text[..text.len().min(MAX_MATCH)];
        if text.len() < MIN_MATCH.max(self.chains.hash.bytes()) || floor >= text.len() {
            return None;
        }
        let place = self.base + at;
        // Positions before the first byte do not exist, and zlib never checks the first.
        let there = place.saturating_sub(usize::from(preset.is_first_hidden));
        let nice = preset.nice.min(text.len());
        let mut search = Search::new(&self.buffer, at, text, nice, floor);
        if let Some(short) = &self.chains.short {
            let reach = there.min(preset.reach);
            for length in [3, 4] {
                let back = short.back(text, place, length).filter(|&back| back <= reach);
                if back.is_some_and(|back| search.look(back)) {
                    break;
                }
            }
        }
        let mut reach = there.min(preset.first_reach);
        let mut left = if search.length < search.nice { links } else { 0 };
        let mut next = self.chains.first(text, place);
        while let Some(back) = next.filter(|&back| back <= reach && left > 0) {
            left -= 1;
            if search.look(back) {
                break;
            }
            reach = there.min(preset.reach);
            next = self.chains.next(place, back);
        }
        let found = (search.back > 0).then(|| Match::new(search.length, search.back));
        self.work += u64::from(links - left);
        found
    }

    /// The distance to the `hops`th earlier string that shares `length` bytes with the position.
    pub fn distance_of(&mut self, length: usize, hops: u32) -> Option<usize> {
        self.occurrences(length, |seen, _| seen == hops).map(|(_, back)| back)
    }

    /// The inverse of [`Window::distance_of`].
    #[cfg(feature = "split")]
    pub fn hops_to(&mut self, length: usize, distance: usize) -> Option<u32> {
        self.occurrences(length, |_, back| back == distance).map(|(seen, _)| seen)
    }

    /// The first earlier occurrence of the next `length` bytes that is wanted: its number, from 1
    /// on, and its distance.
    fn occurrences(
        &mut self,
        length: usize,
        is_wanted: impl Fn(u32, usize) -> bool,
    ) -> Option<(u32, usize)> {
        let ahead = &self.buffer[self.at..];
        let text = ahead.get(..length)?;
        let place = self.base + self.at;
        let reach = place.min(MAX_DISTANCE);
        let (mut next, links) = match &self.chains.short {
            Some(short) if (3..5).contains(&length) => (short.back(ahead, place, length), 1),
            _ if ahead.len() < self.chains.hash.bytes() => return None,
            _ => (self.chains.first(ahead, place), MOST_LINKS),
        };
        let mut seen = 0;
        for _ in 0..links {
            let back = next.filter(|&back| back <= reach)?;
            self.work += 1;
            if self.buffer[self.at - back..].starts_with(text) {
                seen += 1;
                if is_wanted(seen, back) {
                    return Some((seen, back));
                }
            }
            next = self.chains.next(place, back);
        }
        None
    }
}

/// The longest match so far.
struct Search<'t> {
    buffer: &'t [u8],
    /// Where in it the matched text is.
    at: usize,
    text: &'t [u8],
    /// The length that ends the search.
    nice: usize,
    /// Its length; less than the text has, while the search goes on.
    length: usize,
    /// Its distance; 0 if there is none.
    back: usize,
    /// The last three or four bytes that a longer match must have, and their offset.
    tail: u32,
    mask: u32,
    tail_at: usize,
}

impl<'t> Search<'t> {
    /// A search for a match of more than `floor` bytes, fewer than `text` has.
    fn new(buffer: &'t [u8], at: usize, text: &'t [u8], nice: usize, floor: usize) -> Search<'t> {
        let (length, back, tail, mask, tail_at) = (floor, 0, 0, 0, 0);
        let mut search = Search { buffer, at, text, nice, length, back, tail, mask, tail_at };
        search.expect_more();
        search
    }

    /// Sets the bytes that a longer match must have.
    fn expect_more(&mut self) {
        let length = self.length + 1;
        self.mask = if length < 4 { 0x00ff_ffff } else { u32::MAX };
        self.tail_at = self.at + length.saturating_sub(4);
        let tail = &self.text[length.saturating_sub(4)..length];
        self.tail = tail.iter().rev().fold(0, |tail, &byte| tail << 8 | u32::from(byte));
    }

    /// Compares with the string `back` bytes before, which may overlap the text but not exceed the
    /// buffer. Returns whether to stop.
    #[inline(always)]
    fn look(&mut self, back: usize) -> bool {
        // Most candidates already differ here.
        let tail = self.buffer[self.tail_at - back..].first_chunk();
        let tail = tail.map_or(0, |&tail| u32::from_le_bytes(tail));
        (tail ^ self.tail) & self.mask == 0 && self.compare(back)
    }

    fn compare(&mut self, back: usize) -> bool {
        let other = &self.buffer[self.at - back..][..self.text.len()];
        let common = common(self.text, other);
        if common <= self.length {
            return false;
        }
        (self.length, self.back) = (common, back);
        if common < self.nice {
            self.expect_more();
        }
        common >= self.nice
    }
}

/// Most candidates that are checked when a distance is named by its number in the chain.
const MOST_LINKS: u32 = 4096;

/// Length of the common prefix of `a` and `b`, which are equally long.
#[inline]
fn common(a: &[u8], b: &[u8]) -> usize {
    let mut length = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let differ = word(a) ^ word(b);
        if differ != 0 {
            return length + (differ.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length + a[length..].iter().zip(&b[length..]).take_while(|(a, b)| a == b).count()
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}
