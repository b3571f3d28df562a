//! One command and its surroundings.

use std::fmt;

use super::command_map::CommandMap;
use super::environment::Environment;
use super::parse_line::ParsedLine;
use super::{CommandError, parse_line, quote};

/// A command for a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: Program,
    /// The directory it runs in; `~` has its meaning.
    pub within: Option<String>,
    /// Variables beside those of the [`CommandMap`], over which they win.
    pub with: Environment,
    /// The user it runs as, by `sudo`.
    pub as_user: Option<String>,
    /// The group it runs as, by `sg`.
    pub as_group: Option<String>,
    /// The mask of permissions for files it creates.
    pub umask: Option<Umask>,
}

/// The program of an [`Invocation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program by name or path; the [`CommandMap`] adds its prefix.
    Named {
        /// The name or path.
        name: String,
        /// Its arguments.
        args: Vec<Word>,
    },
    /// Shell text, run by `sh` in the invocation's surroundings. SSHKit would drop these for any
    /// text with a space in it.
    Script(String),
    /// Shell text as it is: no prefix, and nothing around it. It is what SSHKit makes of any text
    /// with a space in it.
    Verbatim(String),
}

/// One argument.
#[derive(Clone, PartialEq, Eq)]
pub enum Word {
    /// Exactly this text.
    Text(String),
    /// A path in which `~`, `$NAME` and `${NAME}` keep their meaning.
    Path(String),
    /// Exactly this text, never shown.
    Secret(String),
}

/// A mask of permissions: one to four octal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Umask(String);

impl Umask {
    /// Takes octal digits, as in `077`.
    pub fn new(digits: &str) -> Result<Umask, CommandError> {
        let octal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        if octal && matches!(digits.len(), 1..=4) {
            Ok(Umask(digits.to_owned()))
        } else {
            Err(CommandError::Umask(digits.to_owned()))
        }
    }

    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

impl Word {
    /// The word, quoted for a shell line.
    pub(super) fn quoted(&self) -> String {
        match self {
            Word::Text(text) | Word::Secret(text) => quote::word(text),
            Word::Path(path) => quote::path(path),
        }
    }

    pub(super) fn secret(&self) -> Option<&str> {
        match self {
            Word::Secret(text) => Some(text),
            Word::Text(_) | Word::Path(_) => None,
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Text(text) | Word::Path(text) => write!(f, "{text:?}"),
            Word::Secret(_) => f.write_str(super::secret_names::REDACTION),
        }
    }
}

impl Invocation {
    /// The variables that it runs with.
    pub(super) fn environment(&self, map: &CommandMap) -> Environment {
        map.environment().merged(&self.with)
    }

    /// A program by name or path, without arguments.
    pub fn program(name: &str) -> Invocation {
        Invocation::of(Program::Named { name: name.to_owned(), args: Vec::new() })
    }

    /// Shell text; see [`Program::Script`].
    pub fn script(text: &str) -> Invocation {
        Invocation::of(Program::Script(text.to_owned()))
    }

    /// Shell text; see [`Program::Verbatim`].
    pub fn verbatim(text: &str) -> Invocation {
        Invocation::of(Program::Verbatim(text.to_owned()))
    }

    /// A command as a user writes it in one line. Plain words are a program and its arguments, so
    /// that prefixes apply to `rake tmp:clear`; text that needs a shell is a script.
    pub fn from_text(text: &str) -> Result<Invocation, CommandError> {
        match parse_line::read(text)? {
            ParsedLine::Script => Ok(Invocation::script(text)),
            ParsedLine::Words(words) => Invocation::from_words(&words),
        }
    }

    /// A command as a list of words: a program and its arguments.
    pub fn from_words(words: &[String]) -> Result<Invocation, CommandError> {
        let (name, args) = words.split_first().ok_or(CommandError::Empty)?;
        Ok(args.iter().fold(Invocation::program(name), |made, arg| made.arg(arg)))
    }

    fn of(program: Program) -> Invocation {
        Invocation {
            program,
            within: None,
            with: Environment::new(),
            as_user: None,
            as_group: None,
            umask: None,
        }
    }

    /// Adds an argument.
    pub fn arg(self, text: &str) -> Invocation {
        self.word(Word::Text(text.to_owned()))
    }

    /// Adds an argument that is a path; see [`Word::Path`].
    pub fn path(self, path: &str) -> Invocation {
        self.word(Word::Path(path.to_owned()))
    }

    /// Adds an argument. Shell text takes none.
    pub fn word(mut self, word: Word) -> Invocation {
        if let Program::Named { args, .. } = &mut self.program {
            args.push(word);
        }
        self
    }

    /// Runs in a directory.
    pub fn within(mut self, directory: &str) -> Invocation {
        self.within = Some(directory.to_owned());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umasks() {
        for good in ["0", "22", "077", "0027"] {
            assert!(Umask::new(good).is_ok(), "{good}");
        }
        for bad in ["", "8", "00000", "u=rwx", "77; id"] {
            let refused = Umask::new(bad).unwrap_err().to_string();
            assert_eq!(
                refused,
                format!("'{bad}' is not a umask: it has one to four octal digits, as in 022")
            );
        }
    }

    #[test]
    fn debug_output_has_no_secret() {
        let invocation = Invocation::program("login").word(Word::Secret("hunter22".into()));
        assert!(!format!("{invocation:?}").contains("hunter22"));
    }
}
