//! Wildcard matching in time linear in pattern and text.
//!
//! rsync backtracks; here the set of pattern positions that the text read so far can have reached
//! is carried along, so that no pattern can be made slow on purpose.

use super::class::{self, ByteSet};

/// One step of a wildcard pattern.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// This byte.
    Byte(u8),
    /// `?`: any byte but a slash.
    NotSlash,
    /// `[...]`.
    Class(Box<ByteSet>),
    /// `*`: any bytes but slashes.
    Star,
    /// `**`: any bytes.
    DoubleStar,
}

/// Where in the text a match may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// At its first byte only.
    First,
    /// There, and after every slash.
    EveryComponent,
}

/// Splits a pattern into tokens; `None` if it is malformed and so matches nothing, as in rsync.
pub(crate) fn parse(pattern: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        tokens.push(match byte {
            b'\\' => {
                let (&escaped, after) = rest.split_first()?;
                rest = after;
                Token::Byte(escaped)
            }
            b'?' => Token::NotSlash,
            b'*' => {
                let more = rest.iter().take_while(|&&byte| byte == b'*').count();
                rest = &rest[more..];
                if more == 0 { Token::Star } else { Token::DoubleStar }
            }
            b'[' => {
                let (set, after) = class::parse(rest)?;
                rest = after;
                Token::Class(Box::new(set))
            }
            _ => Token::Byte(byte),
        });
    }
    Some(tokens)
}

/// Whether the tokens match the text up to its end.
pub(crate) fn matches(tokens: &[Token], text: impl Iterator<Item = u8>, start: Start) -> bool {
    let (mut reached, mut next) = (Vec::new(), Vec::new());
    reach(tokens, &mut reached, 0);
    for byte in text {
        next.clear();
        if start == Start::EveryComponent && byte == b'/' {
            reach(tokens, &mut next, 0);
        }
        for &at in &reached {
            step(tokens, &mut next, at, byte);
        }
        std::mem::swap(&mut reached, &mut next);
        if reached.is_empty() && start == Start::First {
            return false;
        }
    }
    reached.last() == Some(&tokens.len())
}

fn step(tokens: &[Token], next: &mut Vec<usize>, at: usize, byte: u8) {
    match tokens.get(at) {
        Some(Token::Byte(wanted)) if *wanted == byte => reach(tokens, next, at + 1),
        Some(Token::NotSlash) if byte != b'/' => reach(tokens, next, at + 1),
        Some(Token::Class(set)) if set.has(byte) => reach(tokens, next, at + 1),
        Some(Token::Star) if byte != b'/' => reach(tokens, next, at),
        Some(Token::DoubleStar) => reach(tokens, next, at),
        _ => {}
    }
}

/// Adds a position, and the one after it where the token there may match nothing.
///
/// Positions come in ascending order, because a step moves by one at most and no two stars are
/// neighbours; so one that is not above the last is there already.
fn reach(tokens: &[Token], positions: &mut Vec<usize>, at: usize) {
    if positions.last().is_some_and(|&last| last >= at) {
        return;
    }
    positions.push(at);
    if matches!(tokens.get(at), Some(Token::Star | Token::DoubleStar)) {
        positions.push(at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_match(pattern: &str, text: &str, start: Start) -> bool {
        parse(pattern.as_bytes()).is_some_and(|tokens| matches(&tokens, text.bytes(), start))
    }

    #[test]
    fn table() {
        let table = [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "a/c", false),
            ("a**c", "a/b/c", true),
            ("a***c", "a/b/c", true),
            ("*", "", true),
            ("?", "/", false),
            ("a?c", "abc", true),
            ("[ab]*", "b/", false),
            ("a[!b]c", "a/c", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("*\\", "a\\", false),
            ("*[", "a[", false),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(is_match(pattern, text, Start::First), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn every_component_may_start() {
        assert!(is_match("b**c", "a/b/c", Start::EveryComponent));
        assert!(!is_match("b**c", "a/b/c", Start::First));
        assert!(!is_match("b**c", "ab/c", Start::EveryComponent));
    }

    #[test]
    fn a_pattern_made_to_backtrack_is_no_slower() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!is_match(&pattern, &"a".repeat(4000), Start::First));
    }

    /// The definition, by trying everything.
    fn naive(tokens: &[Token], text: &[u8]) -> bool {
        let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
        let one = |fits: fn(u8) -> bool| text.first().is_some_and(|&b| fits(b));
        match token {
            Token::Star => naive(rest, text) || one(|b| b != b'/') && naive(tokens, &text[1..]),
            Token::DoubleStar => naive(rest, text) || one(|_| true) && naive(tokens, &text[1..]),
            Token::NotSlash => one(|b| b != b'/') && naive(rest, &text[1..]),
            Token::Byte(b) => text.first() == Some(b) && naive(rest, &text[1..]),
            Token::Class(set) => {
                text.first().is_some_and(|&b| set.has(b)) && naive(rest, &text[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab/*?]{0,8}", text in "[ab/]{0,8}") {
            let tokens = parse(pattern.as_bytes()).expect("well formed");
            let expected = naive(&tokens, text.as_bytes());
            prop_assert_eq!(matches(&tokens, text.bytes(), Start::First), expected);
        }
    }
}
