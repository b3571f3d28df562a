//! Output in pieces, to lines.

/// A longer line is told in pieces of so many bytes.
const LONGEST: usize = 4096;

/// What a command printed, cut into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    last: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes, and gives every line that they complete.
    pub fn take(&mut self, bytes: &[u8], tell: &mut impl FnMut(&[u8])) {
        for &byte in bytes {
            match byte {
                b'\n' => self.complete(tell),
                _ => self.begun.push(byte),
            }
            if self.begun.len() == LONGEST {
                self.complete(tell);
            }
        }
    }

    /// Gives what stands after the last end of a line.
    pub fn end(&mut self, tell: &mut impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            self.complete(tell);
        }
    }

    /// The last line that was not empty.
    pub fn last(&self) -> &[u8] {
        &self.last
    }

    fn complete(&mut self, tell: &mut impl FnMut(&[u8])) {
        let line = std::mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        tell(line);
        if !line.trim_ascii().is_empty() {
            self.last = line.to_vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines() {
        let (mut lines, mut told) = (Lines::default(), Vec::new());
        let mut tell = |line: &[u8]| told.push(String::from_utf8_lossy(line).into_owned());
        for piece in ["a\r\nb", "c\n", "\n", "end"] {
            lines.take(piece.as_bytes(), &mut tell);
        }
        lines.end(&mut tell);
        lines.end(&mut tell);
        assert_eq!(lines.last(), b"end");
        assert_eq!(told, ["a", "bc", "", "end"]);
    }

    #[test]
    fn a_line_without_end_is_told_in_pieces() {
        let (mut lines, mut sizes) = (Lines::default(), Vec::new());
        let mut tell = |line: &[u8]| sizes.push(line.len());
        lines.take(&[b'x'; LONGEST * 2 + 1], &mut tell);
        lines.end(&mut tell);
        assert_eq!(sizes, [LONGEST, LONGEST, 1]);
    }
}
