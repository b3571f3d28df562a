//! The header of a block with dynamic Huffman codes (RFC 1951, 3.2.7): as zlib writes it for given
//! frequencies, and corrections to that.

use super::RegzipError;
use super::coder::{Chance, Coder, Number, Tree};
use super::huffman::{Code, Frequencies, zlib_lengths};
use super::token::{
    CODE_LENGTH_ORDER, CODE_LENGTHS, DISTANCES, LITERALS, MAX_BITS, MAX_LENGTH_BITS,
};
use super::writer::Writer;

/// An item of the run-length coding of code lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// One length, literally.
    One(u8),
    /// The previous length, 3 to 6 times.
    Repeat(u8),
    /// 3 to 10 zeros.
    Zeros(u8),
    /// 11 to 138 zeros.
    ManyZeros(u8),
}

impl Run {
    /// The number of lengths.
    pub fn count(self) -> usize {
        match self {
            Run::One(_) => 1,
            Run::Repeat(count) | Run::Zeros(count) | Run::ManyZeros(count) => usize::from(count),
        }
    }

    /// The symbol in the code for code lengths.
    fn symbol(self) -> usize {
        match self {
            Run::One(length) => usize::from(length),
            Run::Repeat(_) => 16,
            Run::Zeros(_) => 17,
            Run::ManyZeros(_) => 18,
        }
    }

    /// The extra bits: their number, and the count that 0 stands for.
    fn extra(symbol: usize) -> (u32, usize) {
        match symbol {
            16 => (2, 3),
            17 => (3, 3),
            18 => (7, 11),
            _ => (0, 1),
        }
    }

    /// The run of `count` lengths at the start of `lengths`, coded with `symbol`; `None` if that is
    /// impossible.
    fn new(symbol: usize, count: usize, lengths: &[u8], before: Option<u8>) -> Option<Run> {
        let covered = lengths.get(..count)?;
        let all = |wanted: u8| covered.iter().all(|&length| length == wanted);
        match symbol {
            16 if before.is_some_and(all) => Some(Run::Repeat(count as u8)),
            17 if all(0) => Some(Run::Zeros(count as u8)),
            18 if all(0) => Some(Run::ManyZeros(count as u8)),
            0..=15 if count == 1 => Some(Run::One(covered[0])),
            _ => None,
        }
    }

    /// The longest run at the start of `lengths`, as zlib and zopfli choose it.
    fn longest(lengths: &[u8], before: Option<u8>) -> Run {
        let length = lengths[0];
        let same = lengths.iter().take_while(|&&other| other == length).count();
        match same {
            11.. if length == 0 => Run::ManyZeros(same.min(138) as u8),
            3.. if length == 0 => Run::Zeros(same as u8),
            3.. if before == Some(length) => Run::Repeat(same.min(6) as u8),
            _ => Run::One(length),
        }
    }
}

/// The dynamic codes of a block and their coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Number of code lengths of literals and lengths, 257 to 286.
    pub literals: usize,
    /// Number of code lengths of distances, 1 to 30.
    pub distances: usize,
    /// All code lengths.
    pub lengths: Vec<u8>,
    pub runs: Vec<Run>,
    /// Number of lengths of the code for code lengths, in their order, 4 to 19.
    pub code_lengths: Vec<u8>,
}

impl Header {
    /// The header that zlib writes.
    pub fn zlib(frequencies: &Frequencies) -> Header {
        let literals = trimmed(&zlib_lengths(&frequencies.literals, MAX_BITS), LITERALS);
        let distances = trimmed(&zlib_lengths(&frequencies.distances, MAX_BITS), DISTANCES);
        let mut runs = Vec::new();
        for section in [&literals, &distances] {
            let mut at = 0;
            while at < section.len() {
                let before = at.checked_sub(1).map(|before| section[before]);
                let run = Run::longest(&section[at..], before);
                at += run.count();
                runs.push(run);
            }
        }
        let (literals, distances, lengths) =
            (literals.len(), distances.len(), [literals, distances].concat());
        let code_lengths = zlib_code_lengths(&runs);
        Header { literals, distances, lengths, runs, code_lengths }
    }

    /// The codes of literals and distances.
    pub fn codes(&self) -> Option<(Code, Code)> {
        let (literals, distances) = self.lengths.split_at_checked(self.literals)?;
        Some((Code::new(literals)?, Code::new(distances)?))
    }

    /// Writes the header.
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), RegzipError> {
        let mut lengths = [0; CODE_LENGTHS];
        for (&symbol, &length) in CODE_LENGTH_ORDER.iter().zip(&self.code_lengths) {
            lengths[symbol] = length;
        }
        let code = Code::new(&lengths).ok_or(RegzipError::Malformed("code of code lengths"))?;
        writer.bits(self.literals as u32 - 257, 5)?;
        writer.bits(self.distances as u32 - 1, 5)?;
        writer.bits(self.code_lengths.len() as u32 - 4, 4)?;
        for &length in &self.code_lengths {
            writer.bits(length.into(), 3)?;
        }
        for &run in &self.runs {
            writer.symbol(&code, run.symbol())?;
            let (bits, least) = Run::extra(run.symbol());
            writer.bits((run.count() - least) as u32, bits)?;
        }
        Ok(())
    }
}

fn trimmed(lengths: &[u8], most: usize) -> Vec<u8> {
    let used = lengths[..most].iter().rposition(|&length| length > 0).map_or(0, |last| last + 1);
    lengths[..used].to_vec()
}

/// The code for code lengths that zlib makes.
fn zlib_code_lengths(runs: &[Run]) -> Vec<u8> {
    let mut frequencies = [0; CODE_LENGTHS];
    for run in runs {
        frequencies[run.symbol()] += 1;
    }
    let lengths = zlib_lengths(&frequencies, MAX_LENGTH_BITS);
    let mut ordered = CODE_LENGTH_ORDER.map(|symbol| lengths[symbol]).to_vec();
    while ordered.len() > 4 && ordered.last() == Some(&0) {
        ordered.pop();
    }
    ordered
}

/// Adaptive state of the corrections of headers.
#[derive(Debug, Clone)]
pub struct HeaderModel {
    is_zlib: Chance,
    counts: [Tree<32>; 2],
    lengths: [[Tree<16>; 3]; 16],
    is_expected_run: [Chance; 19],
    symbols: [Chance; 19],
    extra: Number,
    code_lengths_count: Tree<16>,
    code_lengths: [Tree<8>; 8],
}

impl HeaderModel {
    /// The initial state.
    pub fn new() -> HeaderModel {
        HeaderModel {
            is_zlib: Chance::EVEN,
            counts: [Tree::NEW; 2],
            lengths: [[Tree::NEW; 3]; 16],
            is_expected_run: [Chance::EVEN; 19],
            symbols: [Chance::EVEN; 19],
            extra: Number::new(),
            code_lengths_count: Tree::NEW,
            code_lengths: [Tree::NEW; 8],
        }
    }

    /// Codes the header of a block with these frequencies.
    pub fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        frequencies: &Frequencies,
        actual: Option<&Header>,
    ) -> Result<Header, RegzipError> {
        let zlib = Header::zlib(frequencies);
        if coder.bit(&mut self.is_zlib, actual == Some(&zlib)) {
            return Ok(zlib);
        }
        let literals = self.count(coder, 0, 257, LITERALS, actual.map(|actual| actual.literals))?;
        let distances =
            self.count(coder, 1, 1, DISTANCES, actual.map(|actual| actual.distances))?;
        let lengths = self.lengths(coder, &zlib, (literals, distances), actual);
        let runs = self.runs(coder, &lengths, actual)?;
        let code_lengths = self.code_lengths(coder, &runs, actual)?;
        Ok(Header { literals, distances, lengths, runs, code_lengths })
    }

    fn count<C: Coder>(
        &mut self,
        coder: &mut C,
        which: usize,
        least: usize,
        most: usize,
        actual: Option<usize>,
    ) -> Result<usize, RegzipError> {
        let actual = actual.map_or(0, |actual| actual - least) as u32;
        let count = least + self.counts[which].code(coder, actual) as usize;
        if count > most {
            return Err(RegzipError::Malformed("number of codes"));
        }
        Ok(count)
    }

    /// Codes the lengths, each in the context of zlib's and of the previous difference.
    fn lengths<C: Coder>(
        &mut self,
        coder: &mut C,
        zlib: &Header,
        (literals, distances): (usize, usize),
        actual: Option<&Header>,
    ) -> Vec<u8> {
        let (guessed_literals, guessed_distances) = zlib.lengths.split_at(zlib.literals);
        let guess = |at: usize| match at.checked_sub(literals) {
            None => guessed_literals.get(at),
            Some(at) => guessed_distances.get(at),
        };
        let mut lengths = Vec::with_capacity(literals + distances);
        let mut off = 0;
        for at in 0..literals + distances {
            let guess = guess(at).copied().unwrap_or(0) & 15;
            let actual = actual.map_or(0, |actual| actual.lengths[at].into());
            let length = self.lengths[usize::from(guess)][off].code(coder, actual) as u8;
            off = 1 + usize::from(length > guess) - usize::from(length < guess);
            lengths.push(length);
        }
        lengths
    }

    fn runs<C: Coder>(
        &mut self,
        coder: &mut C,
        lengths: &[u8],
        actual: Option<&Header>,
    ) -> Result<Vec<Run>, RegzipError> {
        let mut runs = Vec::new();
        let mut at = 0;
        while at < lengths.len() {
            let actual = actual.map(|actual| actual.runs[runs.len()]);
            let before = at.checked_sub(1).map(|before| lengths[before]);
            let run = self.run(coder, &lengths[at..], before, actual)?;
            at += run.count();
            runs.push(run);
        }
        Ok(runs)
    }

    fn run<C: Coder>(
        &mut self,
        coder: &mut C,
        lengths: &[u8],
        before: Option<u8>,
        actual: Option<Run>,
    ) -> Result<Run, RegzipError> {
        let expected = Run::longest(lengths, before);
        let expectation = &mut self.is_expected_run[expected.symbol()];
        if coder.bit(expectation, actual == Some(expected)) {
            return Ok(expected);
        }
        let wanted = actual.map_or(0, Run::symbol);
        let mut symbol = 18;
        while symbol > 15 && !coder.bit(&mut self.symbols[symbol], symbol == wanted) {
            symbol -= 1;
        }
        let (bits, least) = Run::extra(symbol);
        let mut more = 0;
        if bits > 0 {
            let actual = actual.map_or(0, |actual| actual.count() - least);
            more = self.extra.code(coder, actual as u32) as usize;
        }
        let run = Run::new(symbol, least + more, lengths, before);
        run.filter(|_| more < 1 << bits).ok_or(RegzipError::Malformed("run of code lengths"))
    }

    fn code_lengths<C: Coder>(
        &mut self,
        coder: &mut C,
        runs: &[Run],
        actual: Option<&Header>,
    ) -> Result<Vec<u8>, RegzipError> {
        let guessed = zlib_code_lengths(runs);
        let wanted = actual.map_or(0, |actual| actual.code_lengths.len() - 4);
        let count = 4 + self.code_lengths_count.code(coder, wanted as u32) as usize;
        if count > CODE_LENGTHS {
            return Err(RegzipError::Malformed("number of code lengths"));
        }
        let length = |at: usize| {
            let guess = guessed.get(at).copied().unwrap_or(0) & 7;
            let actual = actual.map_or(0, |actual| actual.code_lengths[at].into());
            self.code_lengths[usize::from(guess)].code(coder, actual) as u8
        };
        Ok((0..count).map(length).collect())
    }
}
