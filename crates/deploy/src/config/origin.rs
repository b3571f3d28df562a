//! The origin of a value: a file, a variable, an argument, or a default.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use assetsync_core::text::name;

/// The kind of a config text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigTextKind {
    /// A file of settings.
    File,
    /// An environment variable, as `NAME=value`.
    Variable,
    /// An argument of the command line, as `--set key=value`.
    Argument,
}

/// A text that settings are read from. It may hold secrets, so it is never shown whole.
#[derive(PartialEq, Eq)]
pub struct ConfigText {
    /// The kind.
    pub kind: ConfigTextKind,
    /// How it is named to people: a file's path, a variable's name, an argument without its value.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl fmt::Debug for ConfigText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigText").field("kind", &self.kind).field("name", &self.name).finish()
    }
}

/// A range of bytes in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSpan {
    /// The text.
    pub text: Arc<ConfigText>,
    /// Which part of it; both ends lie in the text, between characters.
    pub range: Range<usize>,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This program's own default; where it is made of other settings, how.
    BuiltIn(Option<&'static str>),
    /// It is configured.
    Given(ConfigSpan),
}

impl ConfigSpan {
    /// A span of `text`, limited to its length.
    pub(crate) fn new(text: &Arc<ConfigText>, range: Range<usize>) -> ConfigSpan {
        let start = floor(&text.text, range.start);
        let end = floor(&text.text, range.end).max(start);
        ConfigSpan { text: Arc::clone(text), range: start..end }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.before().chars().rev().take_while(|&character| character != '\n').count() + 1
    }

    fn before(&self) -> &str {
        self.text.text.get(..self.range.start).unwrap_or_default()
    }
}

/// The nearest end of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

impl Origin {
    /// The span of a value that is not a default.
    pub(crate) fn span(&self) -> Option<&ConfigSpan> {
        match self {
            Origin::BuiltIn(_) => None,
            Origin::Given(span) => Some(span),
        }
    }
}

/// Where a value or a problem is, as people and programs are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// This program's own default; where it is made of other settings, how.
    BuiltIn(Option<&'static str>),
    /// A file of settings.
    File {
        /// Its path, as messages name it.
        name: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// The environment variable of this name.
    Variable(String),
    /// An argument of the command line, without its value.
    Argument(String),
}

impl From<&ConfigSpan> for Location {
    fn from(span: &ConfigSpan) -> Location {
        let name = span.text.name.clone();
        match span.text.kind {
            ConfigTextKind::File => {
                Location::File { name, line: span.line(), column: span.column() }
            }
            ConfigTextKind::Variable => Location::Variable(name),
            ConfigTextKind::Argument => Location::Argument(name),
        }
    }
}

impl From<&Origin> for Location {
    fn from(origin: &Origin) -> Location {
        match origin {
            Origin::BuiltIn(template) => Location::BuiltIn(*template),
            Origin::Given(span) => span.into(),
        }
    }
}

/// `assetsync.toml:3:13`, `ASSETSYNC_DEPLOY_TO` or `--set deploy_to`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::BuiltIn(None) => f.write_str("built in"),
            Location::BuiltIn(Some(template)) => write!(f, "built in: {template}"),
            Location::File { name: file, line, column } => {
                write!(f, "{}:{line}:{column}", name(file))
            }
            Location::Variable(text) | Location::Argument(text) => f.write_str(&name(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(kind: ConfigTextKind, name: &str, text: &str) -> Arc<ConfigText> {
        Arc::new(ConfigText { kind, name: name.into(), text: text.into() })
    }

    #[test]
    fn locations_are_file_line_column() {
        let file = source(ConfigTextKind::File, "a.toml", "ä = 1\r\nüb = 2\n");
        for (span, name) in [
            (0..2, "a.toml:1:1"),
            (5..6, "a.toml:1:5"),
            (13..14, "a.toml:2:5"),
            (99..99, "a.toml:3:1"),
        ] {
            assert_eq!(Location::from(&ConfigSpan::new(&file, span)).to_string(), name);
        }
        let argument = source(ConfigTextKind::Argument, "--set a", "--set a=1");
        let given = Origin::Given(ConfigSpan::new(&argument, 8..9));
        assert_eq!(Location::from(&given).to_string(), "--set a");
        let built_in = Origin::BuiltIn(Some("{a}/b"));
        assert_eq!(Location::from(&built_in).to_string(), "built in: {a}/b");
    }

    #[test]
    fn no_place_cuts_a_character() {
        let file = source(ConfigTextKind::File, "a", "ä");
        assert_eq!(ConfigSpan::new(&file, 1..1).range, 0..0);
        assert_eq!(ConfigSpan::new(&file, 5..9).range, 2..2);
    }
}
