//! Splits output into lines, and redacts secrets in them.

use crate::command::{Secrets, Shown};

/// A longer line is split into pieces of about this size.
const LONGEST: usize = 4096;

/// Splits one output of a command into lines.
#[derive(Debug)]
pub(super) struct LineSplitter<'a> {
    secrets: &'a Secrets,
    begun: Vec<u8>,
}

impl<'a> LineSplitter<'a> {
    /// Lines without these secrets.
    pub fn without(secrets: &'a Secrets) -> LineSplitter<'a> {
        LineSplitter { secrets, begun: Vec::new() }
    }

    /// Adds bytes, and emits every line that they complete.
    pub fn take(&mut self, bytes: &[u8], tell: &mut impl FnMut(Shown)) {
        // A long line is cut only where the following bytes show that no secret is cut.
        let most = LONGEST + self.secrets.longest();
        for &byte in bytes {
            match byte {
                b'\n' => self.end(tell, true),
                _ => self.begun.push(byte),
            }
            if self.begun.len() > most {
                let rest = self.begun.split_off(self.secrets.cut(&self.begun, LONGEST));
                tell(self.secrets.redact_output(&self.begun));
                self.begun = rest;
            }
        }
    }

    /// Emits what follows the last line break.
    pub fn finish(&mut self, tell: &mut impl FnMut(Shown)) {
        self.end(tell, false);
    }

    fn end(&mut self, tell: &mut impl FnMut(Shown), is_line: bool) {
        let line = std::mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if is_line || !line.is_empty() {
            tell(self.secrets.redact_output(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Environment, Value};

    fn told(secrets: &Secrets, pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut told) = (LineSplitter::without(secrets), Vec::new());
        let mut tell = |line: Shown| told.push(line.to_string());
        pieces.iter().for_each(|piece| lines.take(piece, &mut tell));
        lines.finish(&mut tell);
        lines.finish(&mut tell);
        told
    }

    fn secrets(value: &str) -> Secrets {
        let mut environment = Environment::new();
        environment.set("API_KEY", Value::Text(value.into())).expect("a name");
        Secrets::of_environment(&environment)
    }

    #[test]
    fn pieces_become_lines() {
        let pieces: [&[u8]; 4] = [b"a\r\nb", b"c\n", b"\n", b"end"];
        assert_eq!(told(&Secrets::default(), &pieces), ["a", "bc", "", "end"]);
    }

    #[test]
    fn a_line_without_end_is_told_in_pieces() {
        let told = told(&Secrets::default(), &[&[b'x'; LONGEST * 2 + 1]]);
        let sizes: Vec<usize> = told.iter().map(String::len).collect();
        assert_eq!(sizes, [LONGEST, LONGEST, 1]);
    }

    #[test]
    fn a_secret_in_two_pieces_of_output_is_hidden() {
        let pieces: [&[u8]; 2] = [b"the key is hunt", b"er22, keep it\n"];
        assert_eq!(told(&secrets("hunter22"), &pieces), ["the key is [REDACTED], keep it"]);
    }

    #[test]
    fn a_secret_at_the_cut_of_a_long_line_is_hidden() {
        for before in LONGEST - 9..LONGEST + 2 {
            let text = format!("{}hunter22{}", "x".repeat(before), "y".repeat(LONGEST));
            let told = told(&secrets("hunter22"), &[text.as_bytes()]).concat();
            assert_eq!(told, text.replace("hunter22", "[REDACTED]"), "{before}");
        }
        let long = "k".repeat(3 * LONGEST);
        assert_eq!(told(&secrets(&long), &[long.as_bytes()]), ["[REDACTED]"]);
    }
}
