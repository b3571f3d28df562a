//! Predicts the next token by searching for matches as the compressor of a preset does.

use std::io;

use super::preset::Preset;
use super::token::{Match, Token};
use super::window::Window;

/// Shorter than any match.
const NO_MATCH: usize = 2;

/// A prediction.
#[derive(Debug, Clone, Copy)]
pub struct Guess {
    pub token: Token,
    /// The longest match here, even if the prediction does not use it.
    pub best: Option<Match>,
    /// The longer match at the next byte, because of which this one is not used.
    pub next: Option<Match>,
}

/// The plain text, and the state of the compressor in it.
pub struct Predictor<'r> {
    window: Window<'r>,
    preset: Preset,
    /// The match that was found here by lazy matching at the previous byte.
    pending: Option<Match>,
    /// Whether the string here is already in the chains.
    is_remembered: bool,
}

impl<'r> Predictor<'r> {
    /// At the start of `window`, which has the chains of `preset`.
    pub fn new(window: Window<'r>, preset: Preset) -> Predictor<'r> {
        Predictor { window, preset, pending: None, is_remembered: false }
    }

    /// The text and the position in it.
    pub fn window(&mut self) -> &mut Window<'r> {
        &mut self.window
    }

    /// The way matches are searched for.
    pub fn preset(&self) -> &Preset {
        &self.preset
    }

    /// The next byte, as a token.
    pub fn literal(&self) -> Option<Token> {
        self.window.ahead().first().map(|&byte| Token::Literal(byte))
    }

    /// The predicted token; `None` at the end of the text.
    pub fn guess(&mut self) -> Option<Guess> {
        let literal = self.literal()?;
        let preset = self.preset;
        let best = self.pending.take();
        let best = best.or_else(|| self.window.longest(&preset, 0, NO_MATCH, preset.links));
        let usable = best.filter(|best| best.length() > 3 || best.distance() <= preset.near);
        let Some(usable) = usable else { return Some(Guess { token: literal, best, next: None }) };
        let next = self.look_ahead(usable);
        self.pending = next;
        let token = if next.is_some() { literal } else { Token::Match(usable) };
        Some(Guess { token, best, next })
    }

    /// A longer match than `found` at the next byte.
    fn look_ahead(&mut self, found: Match) -> Option<Match> {
        let preset = self.preset;
        if preset.lazy.is_none_or(|lazy| found.length() >= lazy) {
            return None;
        }
        if !self.is_remembered {
            self.window.remember(0);
            self.is_remembered = true;
        }
        let links = if found.length() >= preset.good { preset.links >> 2 } else { preset.links };
        self.window.longest(&preset, 1, found.length(), links)
    }

    /// Advances past `token`, which fits into the rest of the text and is at the position of
    /// `guess`.
    pub fn take(&mut self, token: Token, guess: &Guess) -> io::Result<()> {
        if token != guess.token {
            self.pending = None;
        }
        let length = token.length();
        let to = if length <= self.preset.inserted { length } else { 1 };
        let remembered = usize::from(self.is_remembered)..to;
        self.is_remembered = false;
        self.window.advance(length, remembered)
    }

    /// Advances by one byte of a stored block.
    pub fn skip(&mut self) -> io::Result<()> {
        self.pending = None;
        self.is_remembered = false;
        self.window.advance(1, 0..1)
    }
}
