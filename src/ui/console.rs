//! The edge to the terminal: the only place that writes to standard output and standard error.
//!
//! What a script or a pipe wants goes to standard output: summaries, changed paths, JSON. Everything about
//! how it is going goes to standard error: progress, steps, warnings, errors.
//!
//! Whatever is in a text, it does not drive the terminal: words pass through [`assetsync_core::text`], and in JSON the
//! same characters are written as `\uXXXX`, which changes nothing for who reads it as JSON.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use assetsync_core::text;
use indicatif::{MultiProgress, ProgressDrawTarget};

use super::output::Output;
use crate::error::{CommandError, Exit};

/// Both streams, and the lines of progress that must not be written over.
pub struct Console {
    /// What is printed.
    pub output: Output,
    bars: MultiProgress,
    /// The first failure to write to standard output that matters.
    lost: Mutex<Option<io::Error>>,
}

impl Console {
    /// Progress is shown only to a person: on a terminal, unless asked for silence or JSON.
    pub fn new(output: Output) -> Console {
        let shown = io::stderr().is_terminal() && !output.quiet && !output.json;
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Console { output, bars: MultiProgress::with_draw_target(target), lost: Mutex::new(None) }
    }

    /// Whether somebody is there to answer questions.
    pub fn is_interactive(&self) -> bool {
        io::stdin().is_terminal() && !self.output.quiet && !self.output.json
    }

    /// The lines of progress; hidden where nobody would see them.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Writes `text`, which ends in a newline, to standard output, in one piece. With `--json` it is JSON.
    pub fn say(&self, text: &str) {
        let safe = if self.output.json { safe_json(text) } else { text::lines(text) };
        let written = self.bars.suspend(|| write_out(safe.as_bytes()));
        if let Err(error) = written {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Writes a line to standard error.
    pub fn tell(&self, line: &str) {
        self.bars.suspend(|| write_err(line));
    }

    /// Writes a warning to standard error, unless silence was asked for.
    pub fn warn(&self, text: &str) {
        if !self.output.quiet {
            self.tell(&format!("warning: {text}"));
        }
    }

    /// Writes an error and its hints to standard error.
    pub fn error(&self, about: Option<&str>, error: &CommandError) {
        self.tell(&error_text(about, error));
    }

    /// The exit code, once output that could not be written is counted too.
    ///
    /// A reader that has gone (`| head`) is no failure: the push went on without it.
    pub fn finish(&self, exit: Exit) -> Exit {
        match self.lost.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe && exit == Exit::Done => {
                report(&CommandError::failed(format!("Can't write to standard output: {error}")))
            }
            _ => exit,
        }
    }
}

/// Writes text of this program itself to standard output and gives the exit code.
pub fn print(bytes: &[u8]) -> Exit {
    match write_out(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            report(&CommandError::failed(format!("Can't write to standard output: {error}")))
        }
        _ => Exit::Done,
    }
}

/// Writes a line to standard error, whatever progress is shown: for who has taken that away.
pub fn print_stderr_raw(line: &str) {
    write_err(line);
}

/// Writes an error to standard error and gives its exit code.
pub fn report(error: &CommandError) -> Exit {
    write_err(&error_text(None, error));
    error.exit
}

fn error_text(about: Option<&str>, error: &CommandError) -> String {
    let about = about.map(|about| format!("{about}: ")).unwrap_or_default();
    let mut text = format!("assetsync: {about}{}", error.message);
    for hint in &error.hints {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    text
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// There is nobody left to tell where standard error fails.
fn write_err(lines: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text::lines(lines));
}

/// The same JSON without characters that must not be shown; they can only be inside of its strings.
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
    fn json_says_the_same_and_shows_nothing_unsafe() {
        let said = "a\u{1b}[2J\n\u{202e}\u{85}\u{e0041}\u{7f} \\ \u{fc}";
        let json = serde_json::json!({ "said": said }).to_string() + "\n";
        let safe = safe_json(&json);
        assert!(!safe.trim_end().contains(text::is_unsafe), "{safe}");
        let read: serde_json::Value = serde_json::from_str(&safe).expect("it is JSON");
        assert_eq!(read["said"], said);
        assert_eq!(safe_json("{\"a\":\"\u{fc}\"}\n"), "{\"a\":\"\u{fc}\"}\n");
    }
}
