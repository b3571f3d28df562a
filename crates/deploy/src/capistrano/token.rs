//! Ruby's tokens, as far as a deploy.rb needs them.

/// A token and its line, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub token: Token,
    pub line: usize,
}

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, a constant or a keyword.
    Word(String),
    /// `name:` before a value.
    Label(String),
    /// `:name`.
    Symbol(String),
    /// A string, in its pieces.
    Text(Vec<Piece>),
    /// `%w[...]` and `%i[...]`, each word in its pieces.
    Words(Vec<Vec<Piece>>),
    /// A whole number.
    Number(i64),
    /// An operator or a bracket.
    Mark(&'static str),
    /// The end of a line, or `;`.
    End,
    /// Something no setting is made of: a heredoc, a regular expression, a backquoted command.
    Odd,
}

/// A part of a string.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// Text as it is.
    Plain(String),
    /// `#{...}`.
    Code(Vec<Located>),
}

impl Token {
    /// Whether a value may end here, so that what follows can't begin one.
    pub(super) fn ends_value(&self) -> bool {
        match self {
            Token::Word(word) => !KEYWORDS.contains(&word.as_str()),
            Token::Symbol(_) | Token::Text(_) | Token::Words(_) | Token::Number(_) => true,
            Token::Mark(mark) => matches!(*mark, ")" | "]" | "}"),
            Token::Label(_) | Token::End | Token::Odd => false,
        }
    }

    /// Whether a line can't end behind it.
    pub(super) fn wants_more(&self) -> bool {
        match self {
            Token::Mark(mark) => {
                matches!(
                    *mark,
                    "," | "=>" | "." | "+" | "=" | "&&" | "||" | "<<" | "?" | "->" | "\\"
                )
            }
            Token::Label(_) => true,
            _ => false,
        }
    }
}

/// Words after which a value may begin.
const KEYWORDS: [&str; 14] = [
    "if", "unless", "while", "until", "and", "or", "not", "return", "when", "in", "do", "then",
    "else", "elsif",
];
