//! The edge to the terminal: the only place that writes to standard output and standard error.
//!
//! What a script or a pipe wants goes to standard output: summaries, changed paths, JSON. Everything about
//! how it is going goes to standard error: progress, steps, warnings, errors.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

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

    /// Writes `text`, which ends in a newline, to standard output, in one piece.
    pub fn say(&self, text: &str) {
        let written = self.bars.suspend(|| write_out(text.as_bytes()));
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

/// Writes to standard output and gives the exit code.
pub fn print(bytes: &[u8]) -> Exit {
    match write_out(bytes) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            report(&CommandError::failed(format!("Can't write to standard output: {error}")))
        }
        _ => Exit::Done,
    }
}

/// Writes a line to standard error, whatever progress is shown: for who has taken that away.
pub fn say_last(line: &str) {
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
fn write_err(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
