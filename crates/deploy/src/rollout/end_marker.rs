//! The line that a host prints when a command has ended, with its exit status: a program that the
//! command left in the background keeps the output open, and would be waited for otherwise.

/// How the line begins. The number follows.
const MARK: &[u8] = b"assetsync: ended ";

/// The longest line: a status has three digits.
const LONGEST: usize = MARK.len() + 4;

/// A command line that runs `line` and then prints the mark. The line is in a subshell, as it may
/// end its shell.
pub(super) fn marked(line: &str) -> String {
    let mark = String::from_utf8_lossy(MARK);
    format!("(\n{line}\n); echo \"{mark}$?\"")
}

/// Finds the mark in output that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct EndMarker {
    held: Vec<u8>,
}

impl EndMarker {
    /// Adds a piece: what of the output so far is before a mark, and the exit status if the mark is
    /// there. What may be the begin of a mark is held back.
    pub(super) fn take(&mut self, piece: &[u8]) -> (Vec<u8>, Option<i32>) {
        self.held.extend_from_slice(piece);
        let mut from = 0;
        while let Some(at) = find(&self.held[from..], MARK).map(|at| from + at) {
            let rest = &self.held[at + MARK.len()..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            match rest.get(digits) {
                Some(b'\n') if (1..=3).contains(&digits) => {
                    let status = String::from_utf8_lossy(&rest[..digits]).parse().ok();
                    self.held.truncate(at);
                    return (std::mem::take(&mut self.held), status);
                }
                None if digits <= 3 => break,
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
        let start = self.held.len().saturating_sub(LONGEST).max(from);
        (start..self.held.len())
            .find(|&at| {
                let end = &self.held[at..];
                let digits = end.get(MARK.len()..).unwrap_or_default();
                let known = &end[..end.len().min(MARK.len())];
                MARK.starts_with(known) && digits.iter().all(u8::is_ascii_digit)
            })
            .map_or(0, |at| self.held.len() - at)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_wherever_the_output_is_cut() {
        let text = b"one\nassetsync: ended by me\ntwo, assetsync: ended 0\nlate";
        for cut in 0..text.len() {
            let mut marker = EndMarker::default();
            let (mut output, mut status) = marker.take(&text[..cut]);
            if status.is_none() {
                let (more, found) = marker.take(&text[cut..]);
                output.extend(more);
                status = found;
            }
            assert_eq!(status, Some(0), "cut at {cut}");
            assert_eq!(output, b"one\nassetsync: ended by me\ntwo, ", "cut at {cut}");
        }
    }

    #[test]
    fn only_what_may_be_a_mark_is_held_back() {
        let mut marker = EndMarker::default();
        assert_eq!(marker.take(b"waiting..."), (b"waiting...".to_vec(), None));
        assert_eq!(marker.take(b"\nassets"), (b"\n".to_vec(), None));
        assert_eq!(marker.take(b" "), (b"assets ".to_vec(), None));
        assert_eq!(
            marker.take(b"assetsync: ended 1234"),
            (b"assetsync: ended 1234".to_vec(), None)
        );
        assert_eq!(marker.take(b"assetsync: ended 12"), (Vec::new(), None));
        assert_eq!(marker.rest(), b"assetsync: ended 12");
    }
}
