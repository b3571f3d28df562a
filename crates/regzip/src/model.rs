//! The walk over a deflate stream: predictions, and corrections of them.
//!
//! The same code runs on both sides. The sender passes the actual blocks and encodes; the agent
//! passes none and decodes them.

use super::RegzipError;
use super::coder::{Chance, Coder, Number, Tree};
use super::header::{Header, HeaderModel};
use super::huffman::Frequencies;
use super::limits::{TOKENS_PER_BLOCK, WORK_PER_BLOCK};
use super::predictor::{Guess, Predictor};
use super::token::{MAX_DISTANCE, MAX_MATCH, MIN_MATCH, Match, Token};

/// Longest stored block, in bytes.
pub const MAX_STORED: usize = 65535;

/// Tokens in a block of zlib (`lit_bufsize - 1` at the default `memLevel`).
const ZLIB_TOKENS: usize = 16383;

/// One block of a deflate stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    pub is_last: bool,
    pub content: Content,
}

#[cfg(feature = "split")]
impl Block {
    /// Bytes of plain text in it.
    pub fn plain_length(&self) -> usize {
        match &self.content {
            Content::Stored(bytes) => bytes.len(),
            Content::Tokens { tokens, .. } => tokens.iter().map(|token| token.length()).sum(),
        }
    }
}

/// The content of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// Stored: bytes of plain text.
    Stored(Vec<u8>),
    /// Tokens, with dynamic or fixed Huffman codes.
    Tokens { tokens: Vec<Token>, header: Option<Header> },
}

/// Adaptive state of all corrections of a file.
pub struct Model {
    is_last: Chance,
    is_stored: Chance,
    is_fixed: Chance,
    stored_length: Number,
    counts: Counts,
    header: HeaderModel,
    tokens: TokenModel,
}

impl Model {
    /// The initial state.
    pub fn new() -> Model {
        Model {
            is_last: Chance::EVEN,
            is_stored: Chance::EVEN,
            is_fixed: Chance::EVEN,
            stored_length: Number::new(),
            counts: Counts::new(),
            header: HeaderModel::new(),
            tokens: TokenModel::new(),
        }
    }

    /// Codes the next block.
    pub fn block<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        actual: Option<&Block>,
    ) -> Result<Block, RegzipError> {
        predictor.window().count_work(WORK_PER_BLOCK);
        predictor.window().check_work()?;
        let is_last = coder.bit(&mut self.is_last, actual.is_some_and(|actual| actual.is_last));
        let content = actual.map(|actual| &actual.content);
        let content =
            match coder.bit(&mut self.is_stored, matches!(content, Some(Content::Stored(_)))) {
                true => self.stored(coder, predictor, content)?,
                false => self.tokens(coder, predictor, content)?,
            };
        Ok(Block { is_last, content })
    }

    fn stored<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        actual: Option<&Content>,
    ) -> Result<Content, RegzipError> {
        let length = match actual {
            Some(Content::Stored(bytes)) => bytes.len() as u32,
            _ => 0,
        };
        let length = self.stored_length.code(coder, length) as usize;
        if length > MAX_STORED {
            return Err(RegzipError::Malformed("stored block"));
        }
        let mut bytes = Vec::with_capacity(length);
        for _ in 0..length {
            let next = predictor.window().ahead().first();
            bytes.push(*next.ok_or(RegzipError::Malformed("stored block"))?);
            predictor.skip().map_err(RegzipError::Plain)?;
        }
        Ok(Content::Stored(bytes))
    }

    fn tokens<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        actual: Option<&Content>,
    ) -> Result<Content, RegzipError> {
        let (actual, actual_header) = match actual {
            Some(Content::Tokens { tokens, header }) => (Some(tokens.as_slice()), header.as_ref()),
            _ => (None, None),
        };
        let is_fixed = coder.bit(&mut self.is_fixed, actual.is_some() && actual_header.is_none());
        let count = self.counts.code(coder, predictor, actual)?;
        let mut tokens = Vec::new();
        let mut frequencies = Frequencies::new();
        while tokens.len() < count && predictor.window().remaining() > 0 {
            if tokens.len() == TOKENS_PER_BLOCK {
                return Err(RegzipError::Malformed("tokens of a block"));
            }
            let token = actual.map(|actual| actual[tokens.len()]);
            let token = self.tokens.code(coder, predictor, token)?;
            frequencies.count(token);
            tokens.push(token);
        }
        let header = match is_fixed {
            true => None,
            false => Some(self.header.code(coder, &frequencies, actual_header)?),
        };
        Ok(Content::Tokens { tokens, header })
    }
}

/// Codes the number of tokens in a block.
struct Counts {
    before: usize,
    is_before: Chance,
    is_rest: Chance,
    other: Number,
}

impl Counts {
    fn new() -> Counts {
        Counts {
            before: ZLIB_TOKENS,
            is_before: Chance::EVEN,
            is_rest: Chance::EVEN,
            other: Number::new(),
        }
    }

    /// Returns a number that is too high if the block extends to the end of the text.
    fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        actual: Option<&[Token]>,
    ) -> Result<usize, RegzipError> {
        let wanted = actual.map_or(0, <[Token]>::len);
        if coder.bit(&mut self.is_before, wanted == self.before) {
            return Ok(self.before);
        }
        let length: usize = actual.unwrap_or_default().iter().map(|token| token.length()).sum();
        if coder.bit(&mut self.is_rest, length as u64 == predictor.window().remaining()) {
            return Ok(usize::MAX);
        }
        self.before = self.other.code(coder, wanted as u32) as usize;
        Ok(self.before)
    }
}

/// Adaptive state of the corrections of tokens.
struct TokenModel {
    is_guessed: Vec<Chance>,
    is_literal: [Chance; 8],
    is_best: [Chance; 8],
    is_best_length: [Chance; 8],
    is_longer: Chance,
    longer: Number,
    shorter: [Number; 4],
    hops: Number,
    length: Tree<256>,
    distance: Number,
}

impl TokenModel {
    fn new() -> TokenModel {
        TokenModel {
            is_guessed: vec![Chance::EVEN; CONTEXTS],
            is_literal: [Chance::EVEN; 8],
            is_best: [Chance::EVEN; 8],
            is_best_length: [Chance::EVEN; 8],
            is_longer: Chance::EVEN,
            longer: Number::new(),
            shorter: [const { Number::new() }; 4],
            hops: Number::new(),
            length: Tree::NEW,
            distance: Number::new(),
        }
    }

    fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        actual: Option<Token>,
    ) -> Result<Token, RegzipError> {
        let guess = predictor.guess().ok_or(RegzipError::Malformed("tokens of a block"))?;
        let context = context(&guess, predictor.preset().is_optimal);
        let is_guessed = &mut self.is_guessed[context];
        let token = match coder.bit(is_guessed, actual == Some(guess.token)) {
            true => guess.token,
            false => self.correct(coder, predictor, &guess, actual)?,
        };
        predictor.take(token, &guess).map_err(RegzipError::Plain)?;
        predictor.window().check_work()?;
        if coder.is_full() {
            return Err(RegzipError::WrongSize);
        }
        Ok(token)
    }

    fn correct<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        guess: &Guess,
        actual: Option<Token>,
    ) -> Result<Token, RegzipError> {
        if let Token::Match(_) = guess.token {
            let is_literal = &mut self.is_literal[length_class(guess.best) & 7];
            if coder.bit(is_literal, matches!(actual, Some(Token::Literal(_)))) {
                return predictor.literal().ok_or(RegzipError::Malformed("tokens of a block"));
            }
        }
        let actual = actual.and_then(|actual| match actual {
            Token::Match(found) => Some(found),
            Token::Literal(_) => None,
        });
        if let (Token::Literal(_), Some(best)) = (guess.token, guess.best) {
            let is_best = &mut self.is_best[length_class(guess.best) & 7];
            if coder.bit(is_best, actual == Some(best)) {
                return Ok(Token::Match(best));
            }
        }
        let length = self.length(coder, guess, actual);
        let distance = self.distance(coder, predictor, length, actual)?;
        let window = predictor.window();
        let is_there = distance as u64 <= window.position() && length as u64 <= window.remaining();
        let is_possible =
            (MIN_MATCH..=MAX_MATCH).contains(&length) && (1..=MAX_DISTANCE).contains(&distance);
        if !is_there || !is_possible {
            return Err(RegzipError::Malformed("match"));
        }
        Ok(Token::Match(Match::new(length, distance)))
    }

    fn length<C: Coder>(&mut self, coder: &mut C, guess: &Guess, actual: Option<Match>) -> usize {
        let actual = actual.map_or(MIN_MATCH, Match::length);
        let Some(best) = guess.best else {
            return MIN_MATCH + self.length.code(coder, (actual - MIN_MATCH) as u32) as usize;
        };
        let class = length_class(guess.best) & 7;
        let best = best.length();
        if coder.bit(&mut self.is_best_length[class], actual == best) {
            best
        } else if best == MIN_MATCH || coder.bit(&mut self.is_longer, actual > best) {
            best + 1 + self.longer.code(coder, actual.saturating_sub(best + 1) as u32) as usize
        } else {
            let less =
                self.shorter[class / 2].code(coder, (best - 1).saturating_sub(actual) as u32);
            (best - 1).saturating_sub(less as usize)
        }
    }

    /// Codes the distance of a match of `length` bytes: the number of the earlier string in its
    /// chain, or 0 and the distance.
    fn distance<C: Coder>(
        &mut self,
        coder: &mut C,
        predictor: &mut Predictor<'_>,
        length: usize,
        actual: Option<Match>,
    ) -> Result<usize, RegzipError> {
        let hops = hops(predictor, actual);
        match self.hops.code(coder, hops) {
            0 => Ok(self.distance.code(coder, actual.map_or(0, |actual| actual.distance() as u32))
                as usize),
            hops => predictor
                .window()
                .distance_of(length, hops)
                .ok_or(RegzipError::Malformed("distance")),
        }
    }
}

/// The number of `actual` among the earlier strings; 0 if it is none of those that are checked.
#[cfg(feature = "split")]
fn hops(predictor: &mut Predictor<'_>, actual: Option<Match>) -> u32 {
    let hops =
        actual.and_then(|actual| predictor.window().hops_to(actual.length(), actual.distance()));
    hops.unwrap_or(0)
}

#[cfg(not(feature = "split"))]
fn hops(_: &mut Predictor<'_>, _: Option<Match>) -> u32 {
    0
}

const LENGTH_CLASSES: usize = 12;
const DISTANCE_CLASSES: usize = 8;
const NEXT_CLASSES: usize = 4;

/// Number of contexts for whether a prediction is right.
const CONTEXTS: usize = LENGTH_CLASSES * DISTANCE_CLASSES * NEXT_CLASSES;

fn context(guess: &Guess, is_optimal: bool) -> usize {
    if !is_optimal {
        return usize::from(matches!(guess.token, Token::Match(_)));
    }
    let distance = guess.best.map_or(0, |best| best.distance_symbol().0 / 4);
    let next = match (guess.best, guess.next) {
        (Some(best), Some(next)) => next.length().saturating_sub(best.length()).min(3),
        _ => 0,
    };
    (length_class(guess.best) * DISTANCE_CLASSES + distance) * NEXT_CLASSES + next
}

/// 0 without a match, else 1 to 11.
fn length_class(best: Option<Match>) -> usize {
    match best.map_or(0, Match::length) {
        0 => 0,
        length @ 3..=8 => length - 2,
        9..=10 => 7,
        11..=14 => 8,
        15..=22 => 9,
        23..=257 => 10,
        _ => 11,
    }
}
