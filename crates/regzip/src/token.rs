//! The tokens of a deflate stream (RFC 1951).

/// Shortest and longest match.
pub const MIN_MATCH: usize = 3;
pub const MAX_MATCH: usize = 258;

/// Longest distance of a match, in bytes.
pub const MAX_DISTANCE: usize = 32768;

/// Numbers of symbols of the three Huffman codes.
pub const LITERALS: usize = 286;
pub const DISTANCES: usize = 30;
pub const CODE_LENGTHS: usize = 19;

/// The symbol that ends a block.
pub const END_OF_BLOCK: usize = 256;

/// Longest codes, in bits: of literals and distances, and of code lengths.
pub const MAX_BITS: u8 = 15;
pub const MAX_LENGTH_BITS: u8 = 7;

/// The order in which the lengths of the code for code lengths are written.
pub const CODE_LENGTH_ORDER: [usize; CODE_LENGTHS] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// A copy of `length` bytes (3 to 258) from `distance` bytes before (1 to 32,768).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub length: u16,
    pub distance: u16,
}

impl Match {
    pub fn new(length: usize, distance: usize) -> Match {
        debug_assert!((MIN_MATCH..=MAX_MATCH).contains(&length));
        debug_assert!((1..=MAX_DISTANCE).contains(&distance));
        Match { length: length as u16, distance: distance as u16 }
    }

    pub fn length(self) -> usize {
        usize::from(self.length)
    }

    pub fn distance(self) -> usize {
        usize::from(self.distance)
    }

    /// The symbol of the length, and its extra bits: number and value.
    pub fn length_symbol(self) -> (usize, u32, u32) {
        let value = u32::from(self.length).saturating_sub(3);
        match value {
            0..8 => (257 + value as usize, 0, 0),
            255.. => (285, 0, 0),
            _ => {
                let extra = value.ilog2() - 2;
                let symbol = 4 * (extra + 1) + (value >> extra & 3);
                (257 + symbol as usize, extra, value & ((1 << extra) - 1))
            }
        }
    }

    /// The symbol of the distance, and its extra bits: number and value.
    pub fn distance_symbol(self) -> (usize, u32, u32) {
        let value = u32::from(self.distance).saturating_sub(1);
        if value < 4 {
            return (value as usize, 0, 0);
        }
        let extra = value.ilog2() - 1;
        ((2 * (extra + 1) + (value >> extra & 1)) as usize, extra, value & ((1 << extra) - 1))
    }
}

/// A literal byte or a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    Literal(u8),
    Match(Match),
}

impl Token {
    /// Bytes of plain text.
    pub fn length(self) -> usize {
        match self {
            Token::Literal(_) => 1,
            Token::Match(found) => found.length(),
        }
    }
}
