//! What a line on standard error is: the word that it begins with, and its colour on a terminal.
//!
//! Errors are red, warnings yellow, hints and notes cyan, as in git, cargo and compilers. There is
//! no colour if `NO_COLOR` is set or standard error is no terminal.

use std::io::{self, IsTerminal};

use assetsync_core::text;

/// The kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// What failed.
    Error,
    /// What went otherwise than expected.
    Warning,
    /// What to do.
    Hint,
    /// Where things stand.
    Note,
}

impl Label {
    fn word(self) -> &'static str {
        match self {
            Label::Error => "error",
            Label::Warning => "warning",
            Label::Hint => "hint",
            Label::Note => "note",
        }
    }

    /// The escape sequence of the colour.
    fn color(self) -> &'static str {
        match self {
            Label::Error => "\x1b[1;31m",
            Label::Warning => "\x1b[1;33m",
            Label::Hint | Label::Note => "\x1b[1;36m",
        }
    }

    /// The label and the text, which is made safe for a terminal; no line feed at the end.
    pub fn line(self, text: &str, colored: bool) -> String {
        let (word, text) = (self.word(), text::lines(text));
        match colored {
            true => format!("{}{word}:\x1b[0m {text}", self.color()),
            false => format!("{word}: {text}"),
        }
    }
}

/// Whether labels are coloured.
pub fn is_colored() -> bool {
    can_redraw() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether standard error is a terminal that understands escape sequences.
pub fn can_redraw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_label_is_coloured_and_the_text_can_do_nothing() {
        let text = "web1: \x1b[2Jgone";
        let plain = Label::Error.line(text, false);
        assert!(plain.starts_with("error: web1: ") && !plain.contains('\x1b'), "{plain:?}");
        let colored = Label::Error.line(text, true);
        assert_eq!(colored.matches('\x1b').count(), 2, "{colored:?}");
        assert!(colored.starts_with("\x1b[1;31merror:\x1b[0m web1: "), "{colored:?}");
    }
}
