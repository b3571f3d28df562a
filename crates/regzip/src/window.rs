//! The plain text as it flows by: the last 32 KiB, what lies ahead, and where its strings occurred
//! before.

use std::io::{self, Read};

use super::RegzipError;
use super::crc::Crc;
use super::limits::{WORK_AT_LEAST, WORK_PER_BYTE};
use super::preset::{Hash, Preset, spread};
use super::token::{MAX_DISTANCE, MAX_MATCH, MIN_MATCH, Match};

/// Bytes held, behind and ahead of the position together.
const BUFFER: usize = 128 * 1024;

/// Bytes always there ahead of the position, except at the end: a lazy match looks one byte further
/// than a match, and a hash up to four more.
const MAX_LEAD: usize = 1024;

/// The position in the chain for each possible hash.
const HEADS: usize = 1 << 16;

/// The same for strings that [`Short`] knows: small enough for a fast cache.
const SHORT_HEADS: usize = 1 << 15;

/// Places that a chain can name.
const LINKS: usize = MAX_DISTANCE;

/// Plain text with a position in it.
pub struct Window<'r> {
    source: &'r mut dyn Read,
    /// Bytes of plain text that `source` still has.
    unread: u64,
    buffer: Vec<u8>,
    /// The first byte in the buffer, counted from the start of the text.
    base: usize,
    /// The position, in the buffer.
    at: usize,
    chains: Chains,
    crc: Crc,
    /// Links followed so far, and what counts like them.
    work: u64,
}

/// For each string the ones before it that have the same hash, from the nearest to the farthest.
struct Chains {
    hash: Hash,
    /// The last place with a hash, counted from the start of the text; one more, so that 0 is none.
    heads: Box<[u32; HEADS]>,
    /// How far back the place before it in the chain is; 0 is none. By place, modulo their number.
    links: Box<[u16; LINKS]>,
    /// The nearest strings too short for [`Hash::Long`].
    short: Option<Short>,
}

/// A table on the heap, without a detour over the stack.
fn zeros<T: Clone + Default, const SIZE: usize>() -> Box<[T; SIZE]> {
    match vec![T::default(); SIZE].into_boxed_slice().try_into() {
        Ok(table) => table,
        Err(_) => unreachable!("the vector has that size"),
    }
}

/// Where strings of three and of four bytes occurred last.
struct Short {
    /// By hash, as in [`Chains`].
    heads: [Box<[u32; SHORT_HEADS]>; 2],
    /// What the heads were before the last insertion: a place may be inserted before it is looked
    /// up.
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

    /// How far before `place` the last string is that may share `length` bytes with `text`.
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

    /// How far before `place`, where `text` is, its chain begins.
    #[inline]
    fn first(&self, text: &[u8], place: usize) -> Option<usize> {
        let head = self.heads[self.hash.of(text) % HEADS] as usize;
        match (place + 1).wrapping_sub(head) {
            _ if head == 0 => None,
            // The place itself, when it was inserted before it was looked up.
            0 => self.next(place, 0),
            back => Some(back),
        }
    }

    /// What comes after `back` in the chain of `place`.
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

    /// What lies at and behind the position: everything, or enough for all that is asked there.
    pub fn ahead(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Counts something else as so many links.
    pub fn count_work(&mut self, links: u64) {
        self.work += links;
    }

    /// Whether the search has cost no more than is allowed for the text so far.
    pub fn check_work(&self) -> Result<(), RegzipError> {
        let allowed = WORK_AT_LEAST + WORK_PER_BYTE * self.position();
        if self.work > allowed { Err(RegzipError::TooMuchWork) } else { Ok(()) }
    }

    /// The checksum of all text that has been read, at the end of all there is.
    pub fn crc(&self) -> u32 {
        self.crc.value()
    }

    /// Goes on by `length` bytes, at most [`MAX_MATCH`] and what there is, remembering the strings
    /// that begin in the first `remembered` bytes from `skip` on.
    pub fn advance(&mut self, length: usize, remembered: std::ops::Range<usize>) -> io::Result<()> {
        for offset in remembered {
            self.remember(offset);
        }
        self.at += length;
        if self.ahead().len() < MAX_LEAD && self.unread > 0 { self.fill() } else { Ok(()) }
    }

    /// Remembers the string that begins `offset` bytes ahead.
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

    /// The longest string before the one `offset` bytes ahead that begins as it does, as zlib's
    /// `longest_match` finds it: the nearest among those of that length, longer than `floor` (2 or
    /// more), and the first one of `nice` bytes; looking at most at `links` places.
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
        // Places before the text's first byte are not there, and zlib never looks at the first.
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

    /// The distance of the `hops`th string before the position that shares `length` bytes with it.
    pub fn distance_of(&mut self, length: usize, hops: u32) -> Option<usize> {
        self.occurrences(length, |seen, _| seen == hops).map(|(_, back)| back)
    }

    /// The inverse of [`Window::distance_of`].
    #[cfg(feature = "split")]
    pub fn hops_to(&mut self, length: usize, distance: usize) -> Option<u32> {
        self.occurrences(length, |_, back| back == distance).map(|(seen, _)| seen)
    }

    /// The first occurrence of the next `length` bytes that is wanted: which one from 1 on, and
    /// where.
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
    /// Where in it the text is that is matched.
    at: usize,
    text: &'t [u8],
    /// Long enough to stop.
    nice: usize,
    /// Less than the text has, until nothing longer is looked for.
    length: usize,
    /// Where it is; 0 while there is none.
    back: usize,
    /// The last bytes a longer match has at least, three or four, and where they begin.
    tail: u32,
    mask: u32,
    tail_at: usize,
}

impl<'t> Search<'t> {
    /// For a match of more than `floor` bytes, which are fewer than `text` has.
    fn new(buffer: &'t [u8], at: usize, text: &'t [u8], nice: usize, floor: usize) -> Search<'t> {
        let (length, back, tail, mask, tail_at) = (floor, 0, 0, 0, 0);
        let mut search = Search { buffer, at, text, nice, length, back, tail, mask, tail_at };
        search.expect_more();
        search
    }

    /// Sets what a longer match must have.
    fn expect_more(&mut self) {
        let length = self.length + 1;
        self.mask = if length < 4 { 0x00ff_ffff } else { u32::MAX };
        self.tail_at = self.at + length.saturating_sub(4);
        let tail = &self.text[length.saturating_sub(4)..length];
        self.tail = tail.iter().rev().fold(0, |tail, &byte| tail << 8 | u32::from(byte));
    }

    /// Compares with the string that is `back` bytes before, which may end behind the text's front
    /// but not behind what there is; tells whether to stop.
    #[inline(always)]
    fn look(&mut self, back: usize) -> bool {
        // Most strings differ here.
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

/// Most places looked at when a distance is named by its place in the chain.
const MOST_LINKS: u32 = 4096;

/// How many bytes `a` and `b`, of one length, have in common at their front.
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
