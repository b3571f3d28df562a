//! Statements to calls: `verb argument, argument, key: value`.

use super::expr::{Expr, Part};
use super::statement::Statement;
use super::token::{Located, Piece, Token};

/// How deep values may nest.
const MAX_DEPTH: usize = 40;

/// How many methods or sums may follow each other: each is one level of the value.
const MAX_CHAIN: usize = 40;

/// A statement that calls something.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The called name.
    pub verb: String,
    /// With what; pairs at the end are one hash.
    pub args: Vec<Expr>,
}

/// The call that a statement is, if it is one and nothing else.
pub(super) fn call(statement: &Statement) -> Option<Call> {
    if statement.has_block {
        return None;
    }
    let mut parser = Parser { tokens: &statement.tokens, at: 0, depth: 0 };
    let Some(Token::Word(verb)) = parser.next() else { return None };
    let verb = verb.clone();
    let args = match parser.take(&Token::Mark("(")) {
        true => parser.args(Some(")"))?,
        false => parser.args(None)?,
    };
    parser.skip_ends();
    parser.is_done().then_some(Call { verb, args })
}

struct Parser<'a> {
    tokens: &'a [Located],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|located| &located.token)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    fn take_mark(&mut self, mark: &'static str) -> bool {
        self.take(&Token::Mark(mark))
    }

    fn skip_ends(&mut self) {
        while self.take(&Token::End) {}
    }

    fn is_done(&self) -> bool {
        self.at == self.tokens.len()
    }

    /// Arguments up to `close`, or to the end of the statement.
    fn args(&mut self, close: Option<&'static str>) -> Option<Vec<Expr>> {
        let (mut args, mut pairs) = (Vec::new(), Vec::new());
        loop {
            self.skip_ends();
            match close {
                Some(close) if self.take_mark(close) => break,
                None if self.is_done() => break,
                _ => self.element(&mut args, &mut pairs)?,
            }
            self.skip_ends();
            if self.take_mark(",") {
                continue;
            }
            match close {
                Some(close) if self.take_mark(close) => break,
                None => break,
                Some(_) => return None,
            }
        }
        if !pairs.is_empty() {
            args.push(Expr::Hash(pairs));
        }
        Some(args)
    }

    /// A value, or a pair: `key: value`, `key => value`.
    fn element(&mut self, values: &mut Vec<Expr>, pairs: &mut Vec<(String, Expr)>) -> Option<()> {
        if let Some(Token::Label(name)) = self.peek() {
            self.at += 1;
            self.skip_ends();
            pairs.push((name.clone(), self.expr()?));
            return Some(());
        }
        if self.take_mark("*") {
            values.push(Expr::Splat(Box::new(self.expr()?)));
            return Some(());
        }
        let value = self.expr()?;
        if !self.take_mark("=>") {
            values.push(value);
            return Some(());
        }
        self.skip_ends();
        let named = self.expr()?;
        if let Expr::Text(parts) = value
            && let [Part::Plain(name)] = parts.as_slice()
        {
            pairs.push((name.clone(), named));
        }
        Some(())
    }

    fn expr(&mut self) -> Option<Expr> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let expr = self.sum();
        self.depth -= 1;
        expr
    }

    fn sum(&mut self) -> Option<Expr> {
        let mut sum = self.chain()?;
        for _ in 0..MAX_CHAIN {
            if !self.take_mark("+") {
                return Some(sum);
            }
            self.skip_ends();
            sum = Expr::Sum(Box::new(sum), Box::new(self.chain()?));
        }
        None
    }

    /// A value and the methods called on it.
    fn chain(&mut self) -> Option<Expr> {
        let mut value = self.primary()?;
        for _ in 0..MAX_CHAIN {
            let before = self.at;
            self.skip_ends();
            if self.take_mark(".") || self.take_mark("&.") {
                self.skip_ends();
                let Some(Token::Word(method)) = self.next() else { return None };
                let args = if self.take_mark("(") { self.args(Some(")"))? } else { Vec::new() };
                value = Expr::Method(Box::new(value), method.clone(), args);
            } else if self.at == before && self.take_mark("[") {
                let args = self.args(Some("]"))?;
                value = Expr::Method(Box::new(value), "[]".to_owned(), args);
            } else {
                self.at = before;
                return Some(value);
            }
        }
        None
    }

    fn primary(&mut self) -> Option<Expr> {
        Some(match self.next()? {
            Token::Symbol(name) => Expr::plain(name.clone()),
            Token::Text(pieces) => self.text(pieces),
            Token::Words(words) => {
                Expr::List(words.iter().map(|word| Expr::Text(self.parts(word))).collect())
            }
            Token::Number(number) => Expr::Number(*number),
            Token::Mark("[") => self.list()?,
            Token::Mark("{") => self.hash()?,
            Token::Mark("->") => {
                self.take_mark("(").then(|| self.args(Some(")")));
                self.lambda()?
            }
            Token::Mark("(") => {
                let value = self.expr()?;
                self.skip_ends();
                self.take_mark(")").then_some(value)?
            }
            Token::Mark("-") => match self.next()? {
                Token::Number(number) => Expr::Number(-number),
                _ => return None,
            },
            Token::Word(word) => self.word(word)?,
            Token::Odd => Expr::Unknown,
            Token::Mark(_) | Token::Label(_) | Token::End => return None,
        })
    }

    /// Adjacent strings, which Ruby joins.
    fn text(&mut self, pieces: &[Piece]) -> Expr {
        let mut parts = self.parts(pieces);
        while let Some(Token::Text(more)) = self.peek() {
            self.at += 1;
            parts.extend(self.parts(more));
        }
        Expr::Text(parts)
    }

    fn list(&mut self) -> Option<Expr> {
        self.args(Some("]")).map(Expr::List)
    }

    fn hash(&mut self) -> Option<Expr> {
        let mut args = self.args(Some("}"))?;
        match (args.pop(), args.is_empty()) {
            (None, true) => Some(Expr::Hash(Vec::new())),
            (Some(hash @ Expr::Hash(_)), true) => Some(hash),
            _ => None,
        }
    }

    fn lambda(&mut self) -> Option<Expr> {
        self.take_mark("{").then_some(())?;
        self.skip_ends();
        let value = self.expr()?;
        self.skip_ends();
        self.take_mark("}").then(|| Expr::Lambda(Box::new(value)))
    }

    fn word(&mut self, word: &str) -> Option<Expr> {
        let mut name = word.to_owned();
        while self.take_mark("::") {
            let Some(Token::Word(part)) = self.next() else { return None };
            name = format!("{name}::{part}");
        }
        Some(match name.as_str() {
            "true" => Expr::Flag(true),
            "false" => Expr::Flag(false),
            "nil" => Expr::Nil,
            "lambda" | "proc" if self.peek() == Some(&Token::Mark("{")) => self.lambda()?,
            _ if self.take_mark("(") => Expr::Call(name, self.args(Some(")"))?),
            "fetch" => Expr::Call(name, self.args(None)?),
            _ => Expr::Call(name, Vec::new()),
        })
    }

    /// A string's pieces; code that can't be read is an unknown value.
    fn parts(&self, pieces: &[Piece]) -> Vec<Part> {
        let part = |piece: &Piece| match piece {
            Piece::Plain(text) => Part::Plain(text.clone()),
            Piece::Code(tokens) => Part::Value(self.code(tokens)),
        };
        pieces.iter().map(part).collect()
    }

    fn code(&self, tokens: &[Located]) -> Expr {
        let mut parser = Parser { tokens, at: 0, depth: self.depth };
        parser.skip_ends();
        let value = parser.expr();
        parser.skip_ends();
        value.filter(|_| parser.is_done()).unwrap_or(Expr::Unknown)
    }
}
