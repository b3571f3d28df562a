//! How known compressors search for matches. Corrections name one of these presets; the sender
//! chooses the one with the smallest corrections.

use super::token::MAX_DISTANCE;

/// zlib's longest distance is this much below the size of its window.
const ZLIB_MARGIN: usize = 262;

/// How strings are hashed into chains. Imitating a compressor exactly needs its own hash, because
/// it counts the strings it checks, and collisions count too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// zlib's and gzip's: three bytes, each shifted five bits further, 15 bits of it.
    Zlib,
    /// The same with `memLevel` 9: six bits further, 16 bits.
    LargeZlib,
    /// Chromium's zlib, which is Node's too: four bytes, 15 bits (`insert_string_c`).
    Chromium,
    /// Chains of five bytes, which are short, and of shorter strings only the nearest; 15 bits, so
    /// that the tables stay in a fast cache.
    Long,
}

impl Preset {
    /// Whether searching with it is much slower than with others.
    #[cfg(feature = "split")]
    pub fn is_slow(&self) -> bool {
        self.links > 128
    }
}

impl Hash {
    /// Number of bytes that are hashed.
    pub fn bytes(self) -> usize {
        match self {
            Hash::Zlib | Hash::LargeZlib => 3,
            Hash::Chromium => 4,
            Hash::Long => 5,
        }
    }

    /// The hash of the string at the start of `text`; 0 if that is too short.
    #[inline]
    pub fn of(self, text: &[u8]) -> usize {
        let hash = match self {
            Hash::Zlib => rotating(text, 5) & 0x7fff,
            Hash::LargeZlib => rotating(text, 6) & 0xffff,
            Hash::Chromium => {
                let word = text.first_chunk().map_or(0, |&word| u32::from_le_bytes(word));
                word.wrapping_mul(66521).wrapping_add(66521) >> 16 & 0x7fff
            }
            Hash::Long => return spread(text, self.bytes()) & 0x7fff,
        };
        hash as usize
    }
}

#[inline]
fn rotating(text: &[u8], shift: u32) -> u32 {
    let byte = |at: usize| text.get(at).map_or(0, |&byte| u32::from(byte));
    byte(0) << (2 * shift) ^ byte(1) << shift ^ byte(2)
}

/// A 16-bit Fibonacci hash of the first `count` bytes, 3 to 5. It is 0 in the last eight bytes of
/// the text, where finding matches saves nothing.
#[inline]
pub fn spread(text: &[u8], count: usize) -> usize {
    let word = text.first_chunk().map_or(0, |&word| u64::from_le_bytes(word));
    let word = word << (64 - 8 * count);
    (word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> 48) as usize
}

/// A way to search for matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    pub hash: Hash,
    /// Most candidates that are checked for a string; a quarter of them after a match of `good`
    /// bytes.
    pub links: u32,
    pub good: usize,
    /// A match of this many bytes ends the search.
    pub nice: usize,
    /// Matches shorter than this many bytes are dropped for a longer one at the next byte (lazy
    /// matching).
    pub lazy: Option<usize>,
    /// Of a match longer than this, only the first byte is inserted into the chains.
    pub inserted: usize,
    /// A match of three bytes at a longer distance is not used.
    pub near: usize,
    /// The longest distance: of the first candidate, and of all others.
    pub first_reach: usize,
    pub reach: usize,
    /// Whether the first byte of the text can't be part of a match.
    pub is_first_hidden: bool,
    /// Whether the compressor chooses by cost in bits, so that the matches say much about its
    /// choices.
    pub is_optimal: bool,
}

/// zlib's `configuration_table`: good, lazy, nice, links.
const LEVELS: [(usize, usize, usize, u32); 9] = [
    (4, 4, 8, 4),
    (4, 5, 16, 8),
    (4, 6, 32, 32),
    (4, 4, 16, 16),
    (8, 16, 32, 32),
    (8, 16, 128, 128),
    (8, 32, 128, 256),
    (32, 128, 258, 1024),
    (32, 258, 258, 4096),
];

const fn zlib(level: usize, hash: Hash) -> Preset {
    let (good, lazy, nice, links) = LEVELS[level - 1];
    let is_fast = level <= 3;
    Preset {
        hash,
        links,
        good,
        nice,
        lazy: if is_fast { None } else { Some(lazy) },
        inserted: if is_fast { lazy } else { usize::MAX },
        near: if is_fast { MAX_DISTANCE } else { 4096 },
        first_reach: MAX_DISTANCE - ZLIB_MARGIN,
        reach: MAX_DISTANCE - ZLIB_MARGIN - 1,
        is_first_hidden: true,
        is_optimal: false,
    }
}

/// zopfli, and others that choose by cost. Their choices are not imitated, only the matches are
/// found. Following more links would save 3 % of the corrections, and take longer than sending
/// those on an ordinary link.
const OPTIMAL: Preset = Preset {
    hash: Hash::Long,
    links: 32,
    good: 8,
    nice: 258,
    lazy: Some(258),
    inserted: usize::MAX,
    near: MAX_DISTANCE,
    first_reach: MAX_DISTANCE,
    reach: MAX_DISTANCE,
    is_first_hidden: false,
    is_optimal: true,
};

/// All presets; corrections name one by its index. New ones are added at the end.
pub const PRESETS: [Preset; 21] = presets();

const fn presets() -> [Preset; 21] {
    let mut presets = [OPTIMAL; 21];
    let mut level = 1;
    while level <= LEVELS.len() {
        presets[2 * level - 1] = zlib(level, Hash::Chromium);
        presets[2 * level] = zlib(level, Hash::Zlib);
        level += 1;
    }
    presets[19] = zlib(6, Hash::LargeZlib);
    presets[20] = zlib(9, Hash::LargeZlib);
    presets
}
