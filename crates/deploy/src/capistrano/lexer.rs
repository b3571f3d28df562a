//! Text to tokens.

use super::percent;
use super::token::{Located, Piece, Token};

/// How deep interpolations may nest.
const MAX_DEPTH: usize = 8;

/// Operators and brackets, the longer first.
const MARKS: [&str; 34] = [
    "<=>", "===", "**=", "||=", "&&=", "=>", "->", "::", "&&", "||", "<<", ">>", "==", "!=", ">=",
    "<=", "+=", "-=", "..", "&.", "(", ")", "[", "]", "{", "}", ",", ".", "=", "+", "-", "|", "?",
    "*",
];

/// The tokens of a file; what is no token is [`Token::Odd`].
pub(super) fn lex(text: &str) -> Vec<Located> {
    Lexer::new(text, 1, 0).run()
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    depth: usize,
    tokens: Vec<Located>,
    /// Terminators of heredocs whose text begins on the next line.
    heredocs: Vec<String>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, line: usize, depth: usize) -> Lexer<'a> {
        Lexer { text, at: 0, line, depth, tokens: Vec::new(), heredocs: Vec::new() }
    }

    fn run(mut self) -> Vec<Located> {
        self.skip_block_comment();
        while let Some(next) = self.peek() {
            self.next_token(next);
        }
        self.push(Token::End);
        self.tokens
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Consumes the next character.
    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn skip(&mut self, bytes: usize) {
        for _ in self.rest()[..bytes].chars().collect::<Vec<_>>() {
            self.bump();
        }
    }

    fn push(&mut self, token: Token) {
        self.tokens.push(Located { token, line: self.line });
    }

    fn push_at(&mut self, line: usize, token: Token) {
        self.tokens.push(Located { token, line });
    }

    /// Whether a value may begin here, and not an operator.
    fn may_begin_value(&self) -> bool {
        let is_call =
            || self.text[..self.at].ends_with([' ', '\t']) && !self.rest()[1..].starts_with(' ');
        match self.tokens.last().map(|last| &last.token) {
            None => true,
            // `set %w[...]`, `ask /.../`: a sign that begins an argument has no space after it.
            Some(Token::Word(_)) => is_call(),
            Some(last) => !last.ends_value(),
        }
    }

    fn next_token(&mut self, next: char) {
        let line = self.line;
        match next {
            '\n' => self.end_of_line(),
            ';' => {
                self.bump();
                self.push_at(line, Token::End);
            }
            '#' => self.skip_line(),
            '\\' if self.rest()[1..].trim_start_matches('\r').starts_with('\n') => {
                self.skip_break()
            }
            c if c.is_whitespace() => {
                self.bump();
            }
            '"' | '\'' => self.string(next),
            '`' => self.odd_until('`'),
            '/' if self.may_begin_value() => self.odd_until('/'),
            '%' if self.may_begin_value() => self.percent(),
            ':' => self.symbol(),
            '<' if self.heredoc() => {}
            c if c.is_ascii_digit() => self.number(),
            c if is_name(c) || c == '@' || c == '$' => self.word(),
            _ => self.mark(),
        }
    }

    fn end_of_line(&mut self) {
        let line = self.line;
        self.bump();
        self.push_at(line, Token::End);
        for terminator in std::mem::take(&mut self.heredocs) {
            self.skip_heredoc(&terminator);
        }
        self.skip_block_comment();
        let is_end = self.rest().lines().next().is_some_and(|line| line.trim_end() == "__END__");
        if is_end {
            self.at = self.text.len();
        }
    }

    /// `=begin` to `=end`, each at the beginning of a line.
    fn skip_block_comment(&mut self) {
        if !self.rest().starts_with("=begin") {
            return;
        }
        while !self.rest().is_empty() && !self.rest().starts_with("=end") {
            self.skip_line();
            self.bump();
        }
        self.skip_line();
    }

    fn skip_heredoc(&mut self, terminator: &str) {
        while !self.rest().is_empty() {
            let line = self.rest().lines().next().unwrap_or_default();
            let is_last = line.trim() == terminator;
            self.skip_line();
            self.bump();
            if is_last {
                return;
            }
        }
    }

    /// A backslash at a line's end.
    fn skip_break(&mut self) {
        while self.bump().is_some_and(|skipped| skipped != '\n') {}
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn string(&mut self, quote: char) {
        let line = self.line;
        self.bump();
        let pieces = self.pieces(None, quote, quote == '"');
        let after = self.rest();
        let is_label = after.starts_with(':') && !after.starts_with("::");
        match pieces.as_slice() {
            [Piece::Plain(name)] if is_label && !self.follows_question() => {
                let name = name.clone();
                self.bump();
                self.push_at(line, Token::Label(name));
            }
            _ => self.push_at(line, Token::Text(pieces)),
        }
    }

    fn follows_question(&self) -> bool {
        self.tokens.last().is_some_and(|last| last.token == Token::Mark("?"))
    }

    /// The pieces up to `close`, which is taken too; `open` nests.
    fn pieces(&mut self, open: Option<char>, close: char, interpolates: bool) -> Vec<Piece> {
        let (mut pieces, mut plain, mut nested) = (Vec::new(), String::new(), 0_usize);
        while let Some(next) = self.bump() {
            match next {
                '\\' => plain.extend(self.escaped(interpolates, close)),
                '#' if interpolates && self.peek() == Some('{') => {
                    self.bump();
                    pieces.push(Piece::Plain(std::mem::take(&mut plain)));
                    pieces.push(Piece::Code(self.code()));
                }
                c if c == close && nested == 0 => break,
                c => {
                    nested += usize::from(Some(c) == open);
                    nested -= usize::from(c == close);
                    plain.push(c);
                }
            }
        }
        pieces.push(Piece::Plain(plain));
        pieces.retain(|piece| *piece != Piece::Plain(String::new()));
        if pieces.is_empty() {
            pieces.push(Piece::Plain(String::new()));
        }
        pieces
    }

    /// The meaning of a backslash and the next character.
    fn escaped(&mut self, interpolates: bool, close: char) -> Vec<char> {
        match self.bump() {
            None => vec!['\\'],
            Some('\n') if interpolates => Vec::new(),
            Some('n') if interpolates => vec!['\n'],
            Some('t') if interpolates => vec!['\t'],
            Some(c) if interpolates || c == close || c == '\\' => vec![c],
            Some(c) => vec!['\\', c],
        }
    }

    /// The tokens of an interpolation, whose `#{` is taken.
    fn code(&mut self) -> Vec<Located> {
        let (start, line) = (self.at, self.line);
        let mut open = 0_usize;
        while let Some(next) = self.bump() {
            match next {
                '{' => open += 1,
                '}' if open == 0 => break,
                '}' => open -= 1,
                '"' | '\'' => while self.bump().is_some_and(|inner| inner != next) {},
                _ => {}
            }
        }
        let code = self.text[start..self.at].strip_suffix('}').unwrap_or_default();
        if self.depth == MAX_DEPTH {
            return vec![Located { token: Token::Odd, line }];
        }
        Lexer::new(code, line, self.depth + 1).run()
    }

    /// Skips what is of no use to us, up to `close` on the same line.
    fn odd_until(&mut self, close: char) {
        let line = self.line;
        self.bump();
        while let Some(next) = self.peek() {
            if next == '\n' {
                break;
            }
            self.bump();
            match next {
                '\\' if self.peek() != Some('\n') => {
                    self.bump();
                }
                c if c == close => break,
                _ => {}
            }
        }
        self.push_at(line, Token::Odd);
    }

    fn percent(&mut self) {
        let line = self.line;
        self.bump();
        let Some(opening) = percent::opening(self.rest()) else {
            // The letter after the `%` belongs to what is not understood.
            if self.peek().is_some_and(|c| "wWiIqQ".contains(c)) {
                self.bump();
            }
            return self.push_at(line, Token::Odd);
        };
        for _ in 0..opening.len {
            self.bump();
        }
        let pieces = self.pieces(opening.nesting, opening.close, opening.interpolates);
        let token = match opening.is_list {
            true => Token::Words(percent::words(pieces)),
            false => Token::Text(pieces),
        };
        self.push_at(line, token);
    }

    fn symbol(&mut self) {
        let line = self.line;
        self.bump();
        match self.peek() {
            Some(':') => {
                self.bump();
                self.push_at(line, Token::Mark("::"));
            }
            Some(quote @ ('"' | '\'')) => {
                self.bump();
                let pieces = self.pieces(None, quote, quote == '"');
                self.push_at(line, Token::Text(pieces));
            }
            Some(c) if is_name(c) => {
                let name = self.name();
                self.push_at(line, Token::Symbol(name));
            }
            _ => self.push_at(line, Token::Odd),
        }
    }

    /// Notes a heredoc, if one begins here.
    fn heredoc(&mut self) -> bool {
        let Some(rest) = self.rest().strip_prefix("<<") else { return false };
        let marked = rest.trim_start_matches(['~', '-']);
        let unquoted = marked.trim_start_matches(['"', '\'', '`']);
        let len = unquoted.find(|c: char| !is_name(c)).unwrap_or(unquoted.len());
        let name = &unquoted[..len];
        if !name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            || !self.may_begin_value()
        {
            return false;
        }
        self.heredocs.push(name.to_owned());
        let quotes = usize::from(unquoted.len() < marked.len());
        let taken = self.rest().len() - unquoted.len() + len;
        self.skip((taken + quotes).min(self.rest().len()));
        self.push(Token::Odd);
        true
    }

    fn number(&mut self) {
        let rest = self.rest();
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let token = rest[..len].replace('_', "").parse().map_or(Token::Odd, Token::Number);
        self.skip(len);
        self.push(token);
    }

    fn word(&mut self) {
        let name = self.name();
        let after = self.rest();
        if after.starts_with(':') && !after.starts_with("::") && !self.follows_question() {
            self.bump();
            return self.push(Token::Label(name));
        }
        self.push(Token::Word(name));
    }

    /// A name with the sign that may end it.
    fn name(&mut self) -> String {
        let rest = self.rest();
        let len = rest.find(|c: char| !is_name(c) && c != '@' && c != '$').unwrap_or(rest.len());
        let sign = rest[len..].starts_with(['?', '!']) && !rest[len..].starts_with("!=");
        let name = rest[..len + usize::from(sign)].to_owned();
        self.skip(name.len());
        name
    }

    fn mark(&mut self) {
        let line = self.line;
        match MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
            Some(mark) => {
                self.skip(mark.len());
                self.push_at(line, Token::Mark(mark));
            }
            None => {
                self.bump();
                self.push_at(line, Token::Odd);
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
