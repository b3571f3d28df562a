//! The end of what a command printed, which is shown if it fails. Pure.

use std::collections::VecDeque;

/// At most this many lines are shown.
const LINES: usize = 30;

/// The last lines of both outputs of a command.
#[derive(Debug)]
pub struct CommandTail<T> {
    output: VecDeque<T>,
    errors: VecDeque<T>,
}

impl<T: Clone> CommandTail<T> {
    /// No lines yet.
    pub fn new() -> CommandTail<T> {
        CommandTail { output: VecDeque::new(), errors: VecDeque::new() }
    }

    /// Adds a line; the oldest ones are dropped.
    pub fn add(&mut self, line: &T, is_error: bool) {
        let lines = if is_error { &mut self.errors } else { &mut self.output };
        lines.push_back(line.clone());
        if lines.len() > LINES {
            lines.pop_front();
        }
    }

    /// The lines to show: those of standard error first, as they mostly say why, and as many of
    /// standard output as there is room for.
    pub fn take(&mut self) -> impl Iterator<Item = T> {
        let room = LINES - self.errors.len();
        let skipped = self.output.len().saturating_sub(room);
        let output = std::mem::take(&mut self.output).into_iter().skip(skipped);
        std::mem::take(&mut self.errors).into_iter().chain(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_first_and_all_is_bounded() {
        let mut tail = CommandTail::new();
        (0..100).for_each(|at| tail.add(&format!("out {at}"), false));
        (0..10).for_each(|at| tail.add(&format!("err {at}"), true));
        let lines: Vec<String> = tail.take().collect();
        assert_eq!(lines.len(), LINES);
        assert_eq!((lines[0].as_str(), lines[9].as_str()), ("err 0", "err 9"));
        assert_eq!((lines[10].as_str(), lines[29].as_str()), ("out 80", "out 99"));
        (0..100).for_each(|at| tail.add(&format!("err {at}"), true));
        tail.add(&"out".to_owned(), false);
        let lines: Vec<String> = tail.take().collect();
        assert_eq!((lines.len(), lines[29].as_str()), (LINES, "err 99"));
        assert_eq!(tail.take().count(), 0);
    }
}
