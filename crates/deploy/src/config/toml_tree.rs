//! TOML as a tree of values with spans.

use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeArray, DeTable, DeValue};

use super::origin::{ConfigSpan, ConfigText};
use super::problem::{Diagnostic, Problem};
use super::value::Scalar;

/// The largest file that is read, in bytes: a hundred times what any team writes.
pub const MAX_FILE: usize = 1 << 20;

/// A value and its range.
#[derive(Debug)]
pub(crate) struct TomlNode {
    /// The bytes it takes; of a table with a header, the header.
    pub span: Range<usize>,
    /// The content.
    pub content: TomlValue,
}

/// The content of a value.
#[derive(Debug)]
pub(crate) enum TomlValue {
    /// Keys and their values, in the file's order.
    Table(Vec<TomlEntry>),
    /// Values in order.
    List(Vec<TomlNode>),
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i128),
    /// Yes or no.
    Flag(bool),
    /// A type that no setting takes, in words.
    Other(&'static str),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct TomlEntry {
    /// The key, one part of it.
    pub key: String,
    /// The range of the key.
    pub key_span: Range<usize>,
    /// Its value.
    pub node: TomlNode,
}

impl TomlNode {
    /// The value as far as it is a single one.
    pub fn scalar(&self) -> Scalar<'_> {
        match &self.content {
            TomlValue::Table(_) => Scalar::Other("a table"),
            TomlValue::List(_) => Scalar::Other("a list"),
            TomlValue::Text(text) => Scalar::Text(text),
            TomlValue::Integer(number) => Scalar::Integer(*number),
            TomlValue::Flag(flag) => Scalar::Flag(*flag),
            TomlValue::Other(kind) => Scalar::Other(kind),
        }
    }
}

/// Parses a list alone; the spans of its items are of no use.
pub(crate) fn list(text: &str) -> Result<Vec<TomlNode>, String> {
    let document = format!("list = {text}");
    let table = DeTable::parse(&document).map_err(|error| error.message().to_owned())?;
    let mut entries = entries(table.get_ref());
    match (entries.pop().map(|entry| entry.node.content), entries.as_slice()) {
        (Some(TomlValue::List(items)), []) => Ok(items),
        _ => Err("it is not a list".to_owned()),
    }
}

/// Parses a file, and returns all syntax errors.
pub(crate) fn parse(source: &Arc<ConfigText>) -> Result<Vec<TomlEntry>, Vec<Diagnostic>> {
    if source.text.len() > MAX_FILE {
        let text = format!("it has {} bytes, more than {MAX_FILE}", source.text.len());
        return Err(vec![Diagnostic::at(Problem::Syntax(text), ConfigSpan::new(source, 0..0))]);
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        return Ok(entries(table.get_ref()));
    }
    let mut found: Vec<Diagnostic> = errors
        .iter()
        .map(|error| syntax(source, error.message(), error.span().unwrap_or_default()))
        .collect();
    found.sort_by_key(|one| one.span.as_ref().map(|span| span.range.start));
    // If a table is defined twice, its keys may be, too: the error names the table.
    if found.iter().any(|one| !one.related.is_empty()) {
        let is_follow_up = |one: &Diagnostic| {
            matches!(one.problem, Problem::DuplicateKey(_)) && one.related.is_empty()
        };
        found.retain(|one| !is_follow_up(one));
    }
    Err(found)
}

fn entries(table: &DeTable<'_>) -> Vec<TomlEntry> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
        TomlEntry { key: key.get_ref().to_string(), key_span: key.span(), node: node(value) }
    };
    table.iter().map(entry).collect()
}

fn node(value: &toml::Spanned<DeValue<'_>>) -> TomlNode {
    let content = match value.get_ref() {
        DeValue::Table(table) => TomlValue::Table(entries(table)),
        DeValue::Array(array) => TomlValue::List(items(array)),
        DeValue::String(text) => TomlValue::Text(text.to_string()),
        DeValue::Boolean(flag) => TomlValue::Flag(*flag),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(TomlValue::Other("so large a number"), TomlValue::Integer),
        DeValue::Float(_) => TomlValue::Other("a number with a point"),
        DeValue::Datetime(_) => TomlValue::Other("a date"),
    };
    TomlNode { span: value.span(), content }
}

fn items(array: &DeArray<'_>) -> Vec<TomlNode> {
    array.iter().map(node).collect()
}

/// A syntax error; a duplicate comes with the span of the first.
fn syntax(source: &Arc<ConfigText>, message: &str, span: Range<usize>) -> Diagnostic {
    let span = ConfigSpan::new(source, span);
    if message != "duplicate key" {
        return Diagnostic::at(Problem::Syntax(short(message).to_owned()), span);
    }
    let key = source.text[span.range.clone()].trim_matches(['"', '\'']).to_owned();
    let (line, before) = line_at(&source.text, span.range.start);
    let problem = match line.trim_start().strip_prefix("[stages.") {
        Some(rest) if rest.starts_with(&source.text[span.range.clone()]) => {
            Problem::DuplicateStage(key)
        }
        _ => Problem::DuplicateKey(key),
    };
    let first = first_like(before, line).map(|span| ConfigSpan::new(source, span));
    Diagnostic::at(problem, span).with(first, "first here")
}

/// A message without a long list of expected tokens.
fn short(message: &str) -> &str {
    const ENOUGH: usize = 60;
    match message.split_once(", expected") {
        Some((short, _)) if message.len() > ENOUGH => short,
        _ => message,
    }
}

/// The line around `at`, and all text before it.
fn line_at(text: &str, at: usize) -> (&str, &str) {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (text[start..].lines().next().unwrap_or_default(), &text[..start])
}

/// The first line of `before` that sets what `line` sets: a table by its header, a key in the same
/// table.
fn first_like(before: &str, line: &str) -> Option<Range<usize>> {
    let is_header = line.trim_start().starts_with('[');
    let table = if is_header { 0 } else { before.rfind("\n[").map_or(0, |at| at + 1) };
    let wanted = name_of(line);
    let mut at = table;
    before[table..].split_inclusive('\n').find_map(|line| {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        (name_of(line) == wanted).then(|| start..start + wanted.len())
    })
}

/// The key that a line sets: its header, or the text before the `=`.
fn name_of(line: &str) -> &str {
    let line = line.split('#').next().unwrap_or_default();
    line.split('=').next().unwrap_or_default().trim()
}
