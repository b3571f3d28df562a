//! A command as a user writes it in one line: plain words, or something only a shell can read.

use super::CommandError;

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedLine {
    /// Words without any meaning to a shell beside their quotes.
    Words(Vec<String>),
    /// Text for a shell.
    Script,
}

/// Characters that a shell acts on. Brackets are not among them: in `rake assets:clean[2]` they are
/// meant as they are.
const ACTIVE: &[char] =
    &['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '{', '}', '~', '#', '!', '\n'];

/// Reads a line.
pub(super) fn read(text: &str) -> Result<ParsedLine, CommandError> {
    if text.contains(ACTIVE) {
        return Ok(ParsedLine::Script);
    }
    let words = shell_words::split(text).map_err(|_| CommandError::OpenQuotes)?;
    match words.first() {
        None => Err(CommandError::Empty),
        Some(first) if first.contains('=') => Ok(ParsedLine::Script),
        Some(_) => Ok(ParsedLine::Words(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_scripts() {
        let words = |words: &[&str]| {
            Ok(ParsedLine::Words(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()))
        };
        let table = [
            ("rake assets:clean[2]", words(&["rake", "assets:clean[2]"])),
            ("  npm  run 'a b' \"c\"", words(&["npm", "run", "a b", "c"])),
            ("rake a && rake b", Ok(ParsedLine::Script)),
            ("RAILS_ENV=production rake a", Ok(ParsedLine::Script)),
            ("rm -f ~/x", Ok(ParsedLine::Script)),
            ("echo 'a", Err(CommandError::OpenQuotes)),
            (" ", Err(CommandError::Empty)),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
