//! How known compressors look for matches. Corrections name one of these; the sender takes
//! whichever makes them smallest.

use super::token::MAX_DISTANCE;

/// The farthest distance zlib uses is so much below its window's size.
const ZLIB_MARGIN: usize = 262;

/// How strings are put into chains. A compressor that is to be imitated exactly needs its own hash:
/// it counts the strings it looks at, collisions too.
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
    /// Whether searching so takes much longer than with others.
    #[cfg(feature = "split")]
    pub fn is_slow(&self) -> bool {
        self.links > 128
    }
}

impl Hash {
    /// Bytes that are looked at.
    pub fn bytes(self) -> usize {
        match self {
            Hash::Zlib | Hash::LargeZlib => 3,
            Hash::Chromium => 4,
            Hash::Long => 5,
        }
    }

    /// The hash of the string at the front of `text`; 0 if that is too short.
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

/// 16 bits that depend on all of the first `count` bytes, 3 to 5 of them (Fibonacci hashing). Where
/// the text ends within eight bytes nothing is worth finding: 0.
#[inline]
pub fn spread(text: &[u8], count: usize) -> usize {
    let word = text.first_chunk().map_or(0, |&word| u64::from_le_bytes(word));
    let word = word << (64 - 8 * count);
    (word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> 48) as usize
}

/// One way to look for matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    pub hash: Hash,
    /// Most places looked at for one string; a quarter of them if there is a match of `good` bytes.
    pub links: u32,
    pub good: usize,
    /// A match of so many bytes is long enough to stop looking.
    pub nice: usize,
    /// Whether a better match at the next byte is looked for, when one is shorter than so many
    /// bytes.
    pub lazy: Option<usize>,
    /// Only the first byte of a match longer than this goes into the chains.
    pub inserted: usize,
    /// A match of three bytes that is farther away is not used.
    pub near: usize,
    /// The farthest distance, of the first place looked at and of all others.
    pub first_reach: usize,
    pub reach: usize,
    /// Whether the text's first byte can't be in a match.
    pub is_first_hidden: bool,
    /// Whether choices follow the cost in bits, so that much about them can be guessed from the
    /// matches.
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

/// zopfli, and others that choose by cost: what they do is not imitated, only where matches are.
/// More links would save 3 % of the corrections and cost more time than these need on an ordinary
/// link.
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

/// All presets; corrections name one by its place. New ones go to the end.
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
