//! Percent literals: `%w[a b]`, `%i[a b]`, `%q(text)`, `%Q(text)`, `%(text)`.

use super::lexer::Lexer;
use super::token::{Piece, Token};

/// Reads one, whose `%` is next.
pub(super) fn literal(lexer: &mut Lexer<'_>) -> Token {
    lexer.bump();
    let kind = match lexer.peek() {
        Some(kind @ ('w' | 'W' | 'i' | 'I' | 'q' | 'Q')) => {
            lexer.bump();
            kind
        }
        _ => 'Q',
    };
    let Some(open) = lexer.peek().filter(|c| c.is_ascii_punctuation()) else { return Token::Odd };
    lexer.bump();
    let (nesting, close) = match open {
        '(' => (Some('('), ')'),
        '[' => (Some('['), ']'),
        '{' => (Some('{'), '}'),
        '<' => (Some('<'), '>'),
        other => (None, other),
    };
    let pieces = lexer.pieces(nesting, close, kind.is_ascii_uppercase());
    if matches!(kind, 'q' | 'Q') { Token::Text(pieces) } else { Token::Words(words(pieces)) }
}

/// Splits at white space; an interpolation belongs to the word it touches.
fn words(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut words: Vec<Vec<Piece>> = vec![Vec::new()];
    for piece in pieces {
        match piece {
            Piece::Plain(text) => {
                for (at, part) in text.split(char::is_whitespace).enumerate() {
                    if at > 0 {
                        words.push(Vec::new());
                    }
                    if let Some(word) = words.last_mut().filter(|_| !part.is_empty()) {
                        word.push(Piece::Plain(part.to_owned()));
                    }
                }
            }
            code => {
                if let Some(word) = words.last_mut() {
                    word.push(code);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
