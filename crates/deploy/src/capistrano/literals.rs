//! Reads a value that is written out: literals, and the few expressions that configurations have
//! around them.

use std::collections::BTreeMap;

use super::skipping::skipped;
use super::value::{MAX_SIZE, Value, joined, path};

/// How deeply values may be nested.
const MAX_DEPTH: usize = 20;

/// What a value may refer to.
pub(super) struct Scope<'a> {
    /// Variables that were set before.
    pub variables: &'a BTreeMap<String, Value>,
    /// Variables at the end: what a lambda finds.
    pub late: &'a BTreeMap<String, Value>,
    /// The environment's variables.
    pub environment: &'a BTreeMap<String, String>,
    /// The content of `.ruby-version`.
    pub ruby_version: Option<&'a str>,
}

/// A place in a file's text.
pub(super) struct Cursor<'a> {
    pub rest: &'a str,
    depth: usize,
    is_late: bool,
    scope: &'a Scope<'a>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a str, scope: &'a Scope<'a>) -> Cursor<'a> {
        Cursor { rest, depth: 0, is_late: false, scope }
    }

    /// Skips blanks, and with `lines` also line breaks and comments.
    pub(super) fn skip(&mut self, lines: bool) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            match self.rest.as_bytes() {
                [b'\\', b'\n', ..] => self.rest = &self.rest[2..],
                [b'\n', ..] if lines => self.rest = &self.rest[1..],
                [b'#', ..] if lines => {
                    self.rest = self.rest.find('\n').map_or("", |at| &self.rest[at..]);
                }
                _ => return,
            }
        }
    }

    /// Takes `text` if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a name.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '!' | '?');
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    /// Takes a value with what is called on it.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        let mut value = (self.depth <= MAX_DEPTH).then(|| self.term()).flatten()?;
        loop {
            let before = self.rest;
            self.skip(false);
            if self.take("||") {
                self.skip(true);
                let other = self.value()?;
                value = if value == Value::Nil { other } else { value };
            } else if !self.rest.starts_with("+=") && self.take("+") {
                self.skip(true);
                value = joined(value, self.term()?)?;
            } else if matches!(value, Value::Text(_)) && self.rest.starts_with(['"', '\'']) {
                value = joined(value, self.term()?)?;
            } else if let Some(at) = called(self.rest) {
                self.rest = at;
                value = self.call(value)?;
            } else {
                self.rest = before;
                self.depth -= 1;
                return Some(value);
            }
        }
    }

    /// A method's name and arguments.
    fn call(&mut self, value: Value) -> Option<Value> {
        let name = self.name()?;
        let items = if self.take("(") { self.values(")")? } else { Vec::new() };
        match (name, value) {
            ("to_s" | "to_sym", value) => value.into_text().map(Value::Text),
            ("strip" | "chomp", Value::Text(text)) => Some(Value::Text(text.trim().to_owned())),
            ("freeze" | "dup", value) => Some(value),
            ("to_a" | "uniq" | "compact", value) => joined(Value::List(Vec::new()), value),
            ("join", value @ Value::Text(_)) => path([vec![value], items].concat()),
            ("push" | "append", value) => joined(value, Value::List(items)),
            ("concat", value) => items.into_iter().try_fold(value, joined),
            _ => None,
        }
    }

    /// Values up to `end`; a hash without braces is the last one.
    pub(super) fn values(&mut self, end: &str) -> Option<Vec<Value>> {
        let (mut values, mut pairs) = (Vec::new(), Vec::new());
        loop {
            self.skip(true);
            if self.take(end) {
                break;
            }
            match self.pair()? {
                (Some(key), value) => pairs.push((key, value)),
                (None, value) => values.push(value),
            }
            self.skip(true);
            if !self.take(",") && !self.rest.starts_with(end) {
                return None;
            }
        }
        if !pairs.is_empty() {
            values.push(Value::Hash(pairs));
        }
        (values.len() <= MAX_SIZE).then_some(values)
    }

    /// A value, with a key if it has one. What can't be read is unknown, up to the next comma.
    pub(super) fn pair(&mut self) -> Option<(Option<String>, Value)> {
        let before = self.rest;
        let key = self.key();
        if key.is_none() {
            self.rest = before;
        }
        self.skip(true);
        let (at, depth) = (self.rest, self.depth);
        let value = self.value();
        self.depth = depth;
        self.skip(false);
        if value.is_some()
            && (self.rest.is_empty()
                || self.rest.starts_with([',', ')', ']', '}', '\n', '#', ';', '=']))
        {
            if key.is_none() && self.rest.starts_with("=>") {
                self.rest = &self.rest[2..];
                let key = value.and_then(Value::into_text)?;
                let (_, value) = self.pair()?;
                return Some((Some(key), value));
            }
            return Some((key, value?));
        }
        key.as_ref()?;
        self.rest = skipped(at)?;
        Some((key, Value::Unknown))
    }

    /// `name: ` or `"name": `.
    fn key(&mut self) -> Option<String> {
        let name = match self.rest.chars().next()? {
            quote @ ('"' | '\'') => {
                let (name, rest) = self.rest[1..].split_once(quote)?;
                self.rest = rest;
                Some(name).filter(|name| !name.contains(['\\', '#', '\n']))?
            }
            _ => self.name()?,
        };
        (!self.rest.starts_with("::") && self.take(":")).then(|| name.to_owned())
    }

    fn term(&mut self) -> Option<Value> {
        match self.rest.as_bytes() {
            [b'"', ..] => self.quoted(1, '"', true),
            [b'\'', ..] => self.quoted(1, '\'', false),
            [b':', b'"', ..] => self.quoted(2, '"', true),
            [b':', ..] => {
                self.rest = &self.rest[1..];
                self.name().map(|name| Value::Text(name.to_owned()))
            }
            [b'[', ..] => {
                self.rest = &self.rest[1..];
                self.values("]").map(Value::List)
            }
            [b'{', ..] => {
                self.rest = &self.rest[1..];
                match self.values("}")?.as_slice() {
                    [] => Some(Value::Hash(Vec::new())),
                    [Value::Hash(pairs)] => Some(Value::Hash(pairs.clone())),
                    _ => None,
                }
            }
            // Lists in lists are flattened where they are used.
            [b'*', ..] => {
                self.rest = &self.rest[1..];
                self.term()
            }
            [b'(', ..] => {
                self.rest = &self.rest[1..];
                self.values(")")?.pop()
            }
            [b'%', ..] => self.percent(),
            [b'-', b'0'..=b'9', ..] | [b'0'..=b'9', ..] => self.number(),
            _ => self.named(),
        }
    }

    fn number(&mut self) -> Option<Value> {
        let sign = usize::from(self.rest.starts_with('-'));
        let is_digit = |c: char| c.is_ascii_digit() || c == '_';
        let end = self.rest[sign..].find(|c| !is_digit(c)).map_or(self.rest.len(), |at| at + sign);
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        let is_whole = !rest.starts_with(|c: char| c == '.' || c.is_alphanumeric());
        let number = digits.replace('_', "").parse().ok().filter(|_| is_whole)?;
        Some(Value::Number(number))
    }

    /// `%w[a b]`, `%i(a b)`, `%q{a}`, `%(a)`.
    fn percent(&mut self) -> Option<Value> {
        let kind = self.rest[1..].chars().next().filter(char::is_ascii_alphabetic);
        let start = 1 + usize::from(kind.is_some());
        let open = self.rest[start..].chars().next().filter(char::is_ascii_punctuation)?;
        let close = match open {
            '(' => ')',
            '[' => ']',
            '{' => '}',
            '<' => '>',
            other => other,
        };
        let text =
            self.quoted(start + 1, close, matches!(kind, None | Some('Q' | 'W')))?.into_text()?;
        match kind {
            Some('w' | 'i' | 'W') => {
                let words = text.split_whitespace().map(|word| Value::Text(word.to_owned()));
                Some(Value::List(words.collect()))
            }
            None | Some('q' | 'Q') => Some(Value::Text(text)),
            Some(_) => None,
        }
    }

    /// Text up to `close`, which begins after `start` bytes.
    fn quoted(&mut self, start: usize, close: char, is_double: bool) -> Option<Value> {
        let open = self.rest[..start].chars().next_back();
        self.rest = &self.rest[start..];
        let (mut text, mut inner) = (String::new(), 0_usize);
        loop {
            let next = self.rest.chars().next()?;
            self.rest = &self.rest[next.len_utf8()..];
            match next {
                _ if next == close && inner == 0 => break,
                _ if next == close => {
                    inner -= 1;
                    text.push(next);
                }
                _ if Some(next) == open => {
                    inner += 1;
                    text.push(next);
                }
                '#' if is_double && self.take("{") => {
                    self.skip(true);
                    let value = self.value().filter(|value| *value != Value::Nil)?;
                    text.push_str(&value.into_text()?);
                    self.skip(true);
                    self.take("}").then_some(())?;
                }
                '\\' => self.escaped(&mut text, close, is_double)?,
                _ => text.push(next),
            }
        }
        (text.len() <= MAX_SIZE).then_some(Value::Text(text))
    }

    /// What comes after a backslash.
    fn escaped(&mut self, text: &mut String, close: char, is_double: bool) -> Option<()> {
        let escaped = self.rest.chars().next()?;
        self.rest = &self.rest[escaped.len_utf8()..];
        match escaped {
            _ if escaped == close || matches!(escaped, '\\' | '#') => text.push(escaped),
            'n' if is_double => text.push('\n'),
            't' if is_double => text.push('\t'),
            _ if is_double => return None,
            _ => text.extend(['\\', escaped]),
        }
        Some(())
    }

    fn named(&mut self) -> Option<Value> {
        if self.take("->") {
            self.skip(false);
            return self.block();
        }
        match self.name()? {
            "true" => Some(Value::Flag(true)),
            "false" => Some(Value::Flag(false)),
            "nil" => Some(Value::Nil),
            "lambda" | "proc" => {
                self.skip(false);
                self.block()
            }
            "fetch" => self.fetch(),
            "ENV" => self.environment(),
            "Array" if self.take("(") => {
                let items = self.values(")")?;
                items.into_iter().try_fold(Value::List(Vec::new()), joined)
            }
            "File" => self.file(),
            "deploy_to" => self.variable("deploy_to"),
            name @ ("shared_path" | "current_path") => {
                let folder = name.trim_end_matches("_path").to_owned();
                let parts = vec![self.variable("deploy_to")?, Value::Text(folder)];
                path(parts)
            }
            _ => None,
        }
    }

    /// `File.join(...)`, and `File.read(".ruby-version")`.
    fn file(&mut self) -> Option<Value> {
        if self.take(".join(") {
            return path(self.values(")")?);
        }
        self.take(".read(").then_some(())?;
        let name = self.values(")")?;
        let is_version = name == [Value::Text(".ruby-version".to_owned())];
        self.scope.ruby_version.filter(|_| is_version).map(|text| Value::Text(text.to_owned()))
    }

    /// `{ value }`, which is evaluated when everything is set.
    fn block(&mut self) -> Option<Value> {
        self.take("{").then_some(())?;
        let before = std::mem::replace(&mut self.is_late, true);
        self.skip(true);
        let value = self.value()?;
        self.skip(true);
        self.is_late = before;
        self.take("}").then_some(value)
    }

    /// Arguments, with or without parentheses.
    fn arguments(&mut self) -> Option<Vec<Value>> {
        if self.take("(") {
            return self.values(")");
        }
        self.skip(false);
        Some(vec![self.term()?])
    }

    fn fetch(&mut self) -> Option<Value> {
        let mut arguments = self.arguments()?.into_iter();
        let Some(Value::Text(name)) = arguments.next() else { return None };
        let variables = self.variables();
        if variables.contains_key(&name) { self.variable(&name) } else { arguments.next() }
    }

    fn variables(&self) -> &'a BTreeMap<String, Value> {
        if self.is_late { self.scope.late } else { self.scope.variables }
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.variables().get(name).cloned().filter(|value| *value != Value::Unknown)
    }

    /// `ENV["X"]`, `ENV.fetch("X", "y")`, `ENV.fetch("X") { "y" }`.
    fn environment(&mut self) -> Option<Value> {
        let is_fetch = self.take(".fetch(");
        if !is_fetch && !self.take("[") {
            return None;
        }
        let mut arguments = self.values(if is_fetch { ")" } else { "]" })?.into_iter();
        let name = arguments.next()?.into_text()?;
        let mut other = if is_fetch { arguments.next() } else { Some(Value::Nil) };
        self.skip(false);
        if is_fetch && self.rest.starts_with('{') {
            other = self.block();
        }
        self.scope.environment.get(&name).map(|text| Value::Text(text.clone())).or(other)
    }
}

/// The rest after the dot of a call, which may stand on the next line.
fn called(rest: &str) -> Option<&str> {
    let rest =
        rest.trim_start().strip_prefix("&.").or_else(|| rest.trim_start().strip_prefix('.'))?;
    rest.starts_with(|c: char| c.is_ascii_lowercase()).then_some(rest)
}
