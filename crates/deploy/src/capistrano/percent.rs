//! Percent literals: `%w[a b]`, `%i[a b]`, `%q(text)`, `%Q(text)`, `%(text)`.

use super::token::Piece;

/// The beginning of a literal, up to and with its opening delimiter.
pub(super) struct Opening {
    /// The characters after the `%`.
    pub len: usize,
    /// The opening delimiter, if it nests.
    pub nesting: Option<char>,
    pub close: char,
    pub interpolates: bool,
    /// Whether the text is split into words.
    pub is_list: bool,
}

/// Reads what follows a `%`; none if no literal begins there.
pub(super) fn opening(rest: &str) -> Option<Opening> {
    let letter = rest.chars().next().filter(|c| "wWiIqQ".contains(*c));
    let kind = letter.unwrap_or('Q');
    let len = usize::from(letter.is_some());
    let open = rest[len..].chars().next().filter(char::is_ascii_punctuation)?;
    let (nesting, close) = match open {
        '(' => (Some('('), ')'),
        '[' => (Some('['), ']'),
        '{' => (Some('{'), '}'),
        '<' => (Some('<'), '>'),
        other => (None, other),
    };
    Some(Opening {
        len: len + 1,
        nesting,
        close,
        interpolates: kind.is_ascii_uppercase(),
        is_list: !matches!(kind, 'q' | 'Q'),
    })
}

/// Splits at white space; an interpolation belongs to the word it touches.
pub(super) fn words(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
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
