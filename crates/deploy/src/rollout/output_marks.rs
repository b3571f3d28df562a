//! Lines that a host prints around the output of a command. Before it: what comes earlier is of the
//! login shell. After it, with the exit status: a program that the command left in the background
//! keeps the output open, and would be waited for otherwise. Each run has its own, so that an
//! output that shows those of an earlier run ends nothing.

use assetsync_ssh::{TransportError, nonce};

/// The most digits of an exit status.
const STATUS_DIGITS: usize = 3;

/// The marks of one run of a command.
#[derive(Debug, Clone)]
pub(super) struct OutputMarks {
    nonce: String,
}

impl OutputMarks {
    /// New ones.
    pub(super) fn new() -> Result<OutputMarks, TransportError> {
        Ok(OutputMarks { nonce: nonce()? })
    }

    /// A command line that prints the mark of the beginning, runs `line` and prints that of the
    /// end; both outputs of the command become one, to keep their order. The line is in a subshell,
    /// as it may end its shell.
    pub(super) fn around(&self, line: &str) -> String {
        let nonce = &self.nonce;
        format!(
            "echo 'assetsync: {nonce} begun'; exec 2>&1; (\n{line}\n); \
             echo \"assetsync: {nonce} ended $?\""
        )
    }

    /// The line before the output, with its end.
    pub(super) fn begin(&self) -> Vec<u8> {
        format!("assetsync: {} begun\n", self.nonce).into_bytes()
    }

    /// Finds the mark of the end.
    pub(super) fn end(&self) -> EndMarker {
        let mark = format!("assetsync: {} ended ", self.nonce).into_bytes();
        EndMarker { mark, held: Vec::new() }
    }
}

/// Finds the mark of the end in output that comes in pieces.
#[derive(Debug)]
pub(super) struct EndMarker {
    /// How the line begins. The status follows.
    mark: Vec<u8>,
    held: Vec<u8>,
}

impl EndMarker {
    /// Adds a piece: what of the output so far is before a mark, and the exit status if the mark is
    /// there. What may be the begin of a mark is held back.
    pub(super) fn take(&mut self, piece: &[u8]) -> (Vec<u8>, Option<i32>) {
        self.held.extend_from_slice(piece);
        let mut from = 0;
        while let Some(at) = find(&self.held[from..], &self.mark).map(|at| from + at) {
            let rest = &self.held[at + self.mark.len()..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match rest.get(digits) {
                Some(b'\n') if (1..=STATUS_DIGITS).contains(&digits) => {
                    let status = String::from_utf8_lossy(&rest[..digits]).parse().ok();
                    self.held.truncate(at);
                    return (std::mem::take(&mut self.held), status);
                }
                None if digits <= STATUS_DIGITS => break,
                _ => from = at + 1,
            }
        }
        let held = self.held.len() - self.possible(from);
        let rest = self.held.split_off(held);
        (std::mem::replace(&mut self.held, rest), None)
    }

    /// What is still held, once the output has ended.
    pub(super) fn rest(self) -> Vec<u8> {
        self.held
    }

    /// The length of the end that may be the begin of a mark.
    fn possible(&self, from: usize) -> usize {
        let mark = &self.mark;
        let start = self.held.len().saturating_sub(mark.len() + STATUS_DIGITS + 1).max(from);
        (start..self.held.len())
            .find(|&at| {
                let end = &self.held[at..];
                let digits = end.get(mark.len()..).unwrap_or_default();
                let known = &end[..end.len().min(mark.len())];
                mark.starts_with(known) && digits.iter().all(u8::is_ascii_digit)
            })
            .map_or(0, |at| self.held.len() - at)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn marks() -> OutputMarks {
        OutputMarks { nonce: "07".into() }
    }

    #[test]
    fn a_command_prints_both_marks_and_each_run_has_its_own() {
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &marks().around("exit 7")]).output().unwrap().stdout;
        let after = output.strip_prefix(&*marks().begin()).unwrap();
        assert_eq!(marks().end().take(after), (Vec::new(), Some(7)));
        let other = OutputMarks::new().unwrap();
        assert_ne!(other.begin(), OutputMarks::new().unwrap().begin());
        assert_eq!(other.end().take(after), (after.to_vec(), None));
    }

    #[test]
    fn the_mark_is_found_wherever_the_output_is_cut() {
        let text = b"one\nassetsync: 07 ended by me\ntwo, assetsync: 07 ended 0\nlate";
        for cut in 0..text.len() {
            let mut marker = marks().end();
            let (mut output, mut status) = marker.take(&text[..cut]);
            if status.is_none() {
                let (more, found) = marker.take(&text[cut..]);
                output.extend(more);
                status = found;
            }
            assert_eq!(status, Some(0), "cut at {cut}");
            assert_eq!(output, b"one\nassetsync: 07 ended by me\ntwo, ", "cut at {cut}");
        }
    }

    #[test]
    fn only_what_may_be_a_mark_is_held_back() {
        let mut marker = marks().end();
        assert_eq!(marker.take(b"waiting..."), (b"waiting...".to_vec(), None));
        assert_eq!(marker.take(b"\nassets"), (b"\n".to_vec(), None));
        assert_eq!(marker.take(b" "), (b"assets ".to_vec(), None));
        assert_eq!(
            marker.take(b"assetsync: 07 ended 1234"),
            (b"assetsync: 07 ended 1234".to_vec(), None)
        );
        assert_eq!(marker.take(b"assetsync: 07 ended 12"), (Vec::new(), None));
        assert_eq!(marker.rest(), b"assetsync: 07 ended 12");
    }
}
