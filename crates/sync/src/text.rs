//! Bytes from file systems and from the other side, made safe to show.

/// `bytes` as text in which every control character (C0, DEL, C1) and every byte that is not UTF-8 is
/// written as an escape, so that a file name can't speak to the terminal.
pub fn printable(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => shown.push_str("\\n"),
                '\t' => shown.push_str("\\t"),
                c if c.is_control() || is_direction(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

/// Characters that reorder the text around them, and so can hide an ending.
fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_reaches_the_terminal() {
        assert_eq!(printable(b"a\x1b[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(printable("x\u{9b}y\u{202e}z".as_bytes()), "x\\u{9b}y\\u{202e}z");
        assert_eq!(printable(b"\xff ok \xc3\xa4"), "\\xff ok ä");
    }
}
