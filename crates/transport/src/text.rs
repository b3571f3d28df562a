//! Bytes from the far side made safe to show.

/// How much of a remote text an error quotes.
const EXCERPT: usize = 400;

/// Makes remote bytes safe to show: control characters (C0 but newline and tab, DEL, C1) are
/// escaped, so a hostile host cannot drive the user's terminal.
pub fn sanitise(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' => {}
            c if c.is_control() => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// The end of a remote text, sanitised and short enough for one message; errors come last there.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let shown = sanitise(&bytes[bytes.len().saturating_sub(EXCERPT)..]);
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_lines_kept() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain\n\ttext", "plain\n\ttext"),
            (b"\x1b[2Jgone", "\\u{1b}[2Jgone"),
            (b"\x07bell\x7f", "\\u{7}bell\\u{7f}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"dos\r\n", "dos\n"),
        ];
        for (raw, shown) in cases {
            assert_eq!(sanitise(raw), *shown);
        }
    }
}
