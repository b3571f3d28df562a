//! The only module that writes to standard output and standard error.
//!
//! Results go to standard output: summaries, changed paths, JSON. Everything else goes to standard
//! error: progress, steps, warnings, errors.
//!
//! No text can control the terminal: all output is escaped by [`assetsync_core::text`], and JSON
//! has the same characters as `\uXXXX`, which parsers read as the original text.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use assetsync_core::text;
use indicatif::MultiProgress;

use super::label::{self, Label, can_redraw};
use super::output::Output;
use super::progress::{Mode, ProgressLines};
use crate::error::{CommandError, Exit};

/// Both streams, and the progress lines that output must not overwrite.
pub struct Console {
    /// The chosen output.
    pub output: Output,
    progress: ProgressLines,
    /// The first failure to write to standard output that matters.
    lost: Mutex<Option<io::Error>>,
}

impl Console {
    /// Progress is shown neither with `--quiet` nor with `--json`.
    pub fn new(output: Output) -> Console {
        let mode = match (output.quiet || output.json, can_redraw()) {
            (true, _) => Mode::Hidden,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Plain,
        };
        Console { output, progress: ProgressLines::new(mode), lost: Mutex::new(None) }
    }

    /// The progress lines.
    pub fn progress(&self) -> &ProgressLines {
        &self.progress
    }

    /// Whether questions can be asked.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && !self.output.quiet && !self.output.json
    }

    /// The lines drawn in place; hidden unless progress is shown on a terminal.
    pub fn bars(&self) -> &MultiProgress {
        self.progress.bars()
    }

    /// Writes `text`, which ends in a newline, to standard output at once. With `--json` it is
    /// JSON.
    pub fn print_stdout(&self, text: &str) {
        let safe = if self.output.json { safe_json(text) } else { text::lines(text) };
        let written = self.bars().suspend(|| write_out(safe.as_bytes()));
        if let Err(error) = written {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Writes a line to standard error.
    pub fn print_stderr(&self, line: &str) {
        self.bars().suspend(|| write_err(line));
    }

    /// Writes a warning to standard error, except with `--quiet`.
    pub fn warn(&self, text: &str) {
        if !self.output.quiet {
            self.print_labelled(Label::Warning, text);
        }
    }

    /// Writes a line with its label to standard error.
    pub fn print_labelled(&self, label: Label, text: &str) {
        self.bars().suspend(|| write_labelled(label, text));
    }

    /// Writes an error and its hints to standard error.
    pub fn error(&self, about: Option<&str>, error: &CommandError) {
        self.bars().suspend(|| write_error(about, error));
    }

    /// The exit code, considering output that could not be written.
    ///
    /// A closed pipe (`| head`) is not an error: the push was completed anyway.
    pub fn finish(&self, exit: Exit) -> Exit {
        match self.lost.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe && exit == Exit::Done => {
                report(&CommandError::failed(format!("Can't write to standard output: {error}")))
            }
            _ => exit,
        }
    }
}

/// Writes trusted bytes to standard output and returns the exit code.
pub fn print(bytes: &[u8]) -> Exit {
    match write_out(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            report(&CommandError::failed(format!("Can't write to standard output: {error}")))
        }
        _ => Exit::Done,
    }
}

/// Writes a line with its label to standard error without suspending progress lines: for callers
/// that have done so.
pub fn write_labelled(label: Label, text: &str) {
    write_err_raw(&label.line(text, label::is_colored()));
}

/// Writes an error to standard error and returns its exit code.
pub fn report(error: &CommandError) -> Exit {
    write_error(None, error);
    error.exit
}

fn write_error(about: Option<&str>, error: &CommandError) {
    let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
    write_labelled(Label::Error, &format!("{about}{}", error.message));
    error.hints.iter().for_each(|hint| write_labelled(Label::Hint, hint));
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn write_err(lines: &str) {
    write_err_raw(&text::lines(lines));
}

/// If standard error fails, there is nowhere to report that.
fn write_err_raw(safe: &str) {
    let _ = writeln!(io::stderr().lock(), "{safe}");
}

/// Escapes unsafe characters in JSON; they can only occur inside of its strings.
fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || !text::is_unsafe(character) {
            safe.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            safe.push_str(&format!("\\u{unit:04x}"));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_json_is_safe_and_has_the_same_value() {
        let said = "a\u{1b}[2J\n\u{202e}\u{85}\u{e0041}\u{7f} \\ \u{fc}";
        let json = serde_json::json!({ "said": said }).to_string() + "\n";
        let safe = safe_json(&json);
        assert!(!safe.trim_end().contains(text::is_unsafe), "{safe}");
        let read: serde_json::Value = serde_json::from_str(&safe).expect("it is JSON");
        assert_eq!(read["said"], said);
        assert_eq!(safe_json("{\"a\":\"\u{fc}\"}\n"), "{\"a\":\"\u{fc}\"}\n");
    }
}
