//! Parses a deflate stream into blocks and tokens (RFC 1951).

use super::header::{Header, Run};
use super::huffman::Code;
use super::limits::TOKENS_PER_BLOCK;
use super::model::{Block, Content};
use super::token::{
    CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCES, END_OF_BLOCK, LITERALS, MAX_BITS, MIN_MATCH, Match,
    Token,
};

/// The shortest length and distance of each symbol.
const LENGTH_BASES: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const DISTANCE_BASES: [u16; DISTANCES] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];

/// A deflate stream, read block by block.
pub struct Blocks<'a> {
    bits: Bits<'a>,
    is_done: bool,
}

impl<'a> Blocks<'a> {
    /// A reader of `stream`.
    pub fn new(stream: &'a [u8]) -> Blocks<'a> {
        Blocks { bits: Bits { bytes: stream, at: 0, held: 0, count: 0 }, is_done: false }
    }

    /// Whether the last block was read and nothing follows, not even a bit that is set.
    pub fn is_at_end(&self) -> bool {
        self.is_done
            && self.bits.at == self.bits.bytes.len()
            && self.bits.count < 8
            && self.bits.held == 0
    }

    /// The next block; `None` if the stream is invalid or not supported.
    pub fn next(&mut self) -> Option<Block> {
        if self.is_done {
            return None;
        }
        self.is_done = self.bits.take(1)? == 1;
        let content = match self.bits.take(2)? {
            0 => self.stored()?,
            1 => {
                let tokens = self.tokens(&Code::fixed_literals()?, &Code::fixed_distances()?)?;
                Content::Tokens { tokens, header: None }
            }
            2 => {
                let header = self.header()?;
                let (literals, distances) = header.codes()?;
                Content::Tokens {
                    tokens: self.tokens(&literals, &distances)?,
                    header: Some(header),
                }
            }
            _ => return None,
        };
        Some(Block { is_last: self.is_done, content })
    }

    fn stored(&mut self) -> Option<Content> {
        let length = self.bits.aligned()?;
        let (length, complement) = (length & 0xffff, length >> 16);
        (length == !complement & 0xffff).then_some(())?;
        let bytes = self.bits.bytes.get(self.bits.at..)?.get(..length as usize)?;
        self.bits.at += bytes.len();
        Some(Content::Stored(bytes.to_vec()))
    }

    fn header(&mut self) -> Option<Header> {
        let literals = self.bits.take(5)? as usize + 257;
        let distances = self.bits.take(5)? as usize + 1;
        if literals > LITERALS || distances > DISTANCES {
            return None;
        }
        let count = self.bits.take(4)? as usize + 4;
        let code_lengths: Option<Vec<u8>> =
            (0..count).map(|_| Some(self.bits.take(3)? as u8)).collect();
        let code_lengths = code_lengths?;
        let mut by_symbol = [0; CODE_LENGTHS];
        for (&symbol, &length) in CODE_LENGTH_ORDER.iter().zip(&code_lengths) {
            by_symbol[symbol] = length;
        }
        let table = Table::new(&Code::new(&by_symbol)?);
        let mut header =
            Header { literals, distances, lengths: Vec::new(), runs: Vec::new(), code_lengths };
        while header.lengths.len() < literals + distances {
            let run = self.run(&table)?;
            let length = match run {
                Run::One(length) => length,
                Run::Repeat(_) => *header.lengths.last()?,
                Run::Zeros(_) | Run::ManyZeros(_) => 0,
            };
            header.lengths.extend(std::iter::repeat_n(length, run.count()));
            header.runs.push(run);
        }
        (header.lengths.len() == literals + distances).then_some(header)
    }

    fn run(&mut self, table: &Table) -> Option<Run> {
        Some(match self.bits.symbol(table)? {
            16 => Run::Repeat(3 + self.bits.take(2)? as u8),
            17 => Run::Zeros(3 + self.bits.take(3)? as u8),
            18 => Run::ManyZeros(11 + self.bits.take(7)? as u8),
            length => Run::One(length as u8),
        })
    }

    fn tokens(&mut self, literals: &Code, distances: &Code) -> Option<Vec<Token>> {
        let (literals, distances) = (Table::new(literals), Table::new(distances));
        let mut tokens = Vec::new();
        loop {
            let symbol = self.bits.symbol(&literals)?;
            if symbol == END_OF_BLOCK {
                return Some(tokens);
            }
            if tokens.len() == TOKENS_PER_BLOCK {
                return None;
            }
            tokens.push(match symbol.checked_sub(END_OF_BLOCK + 1) {
                None => Token::Literal(symbol as u8),
                Some(length) => Token::Match(self.found(length, &distances)?),
            });
        }
    }

    fn found(&mut self, length_symbol: usize, distances: &Table) -> Option<Match> {
        let base = usize::from(*LENGTH_BASES.get(length_symbol)?);
        let (_, extra, _) = Match::new(base.max(MIN_MATCH), 1).length_symbol();
        let length = base + self.bits.take(extra)? as usize;
        let base = usize::from(*DISTANCE_BASES.get(self.bits.symbol(distances)?)?);
        let (_, extra, _) = Match::new(MIN_MATCH, base).distance_symbol();
        let found = Match::new(length, base + self.bits.take(extra)? as usize);
        // A length of 258 has two codings; the writer has only one of them.
        (found.length_symbol().0 == length_symbol + END_OF_BLOCK + 1).then_some(found)
    }
}

/// For each value of 15 bits its first symbol and the length of that in bits; 0 if there is none.
struct Table(Vec<(u16, u8)>);

impl Table {
    fn new(code: &Code) -> Table {
        let mut table = vec![(0, 0); 1 << MAX_BITS];
        for (symbol, &length) in code.lengths.iter().enumerate().filter(|&(_, &length)| length > 0)
        {
            let first = usize::from(code.bits[symbol]);
            for entry in table[first..].iter_mut().step_by(1 << length) {
                *entry = (symbol as u16, length);
            }
        }
        Table(table)
    }
}

/// A bit reader, the lowest bit of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 32 && self.at < self.bytes.len() {
            self.held |= u64::from(self.bytes[self.at]) << self.count;
            self.at += 1;
            self.count += 8;
        }
    }

    fn drop(&mut self, count: u32) -> Option<()> {
        self.count = self.count.checked_sub(count)?;
        self.held >>= count;
        Some(())
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        self.fill();
        let bits = self.held & ((1 << count) - 1);
        self.drop(count)?;
        Some(bits as u32)
    }

    fn symbol(&mut self, table: &Table) -> Option<usize> {
        self.fill();
        let (symbol, length) = table.0[self.held as usize & ((1 << MAX_BITS) - 1)];
        self.drop(length.into())?;
        (length > 0).then_some(symbol.into())
    }

    /// The next 32 bits at a byte boundary, if the padding before is zero; then no bits are
    /// buffered.
    fn aligned(&mut self) -> Option<u32> {
        let padding = self.count % 8;
        (self.take(padding)? == 0).then_some(())?;
        let whole = self.count / 8;
        self.at -= whole as usize;
        (self.held, self.count) = (0, 0);
        let bytes = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        bytes.try_into().ok().map(u32::from_le_bytes)
    }
}
