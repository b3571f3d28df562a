//! Makes untrusted text safe to show.
//!
//! A file name, a message from a host, a configuration file or a command's output may contain
//! characters that change what a terminal shows: control characters move the cursor and overwrite
//! text, bidirectional controls reorder a line, and invisible characters make two different names
//! look the same. All untrusted text goes through this module before it becomes part of a message.
//!
//! - [`name`] and [`path`] are for one name, path or value within a message: the result has no line
//!   breaks, and two different inputs never look the same, as backslashes are doubled.
//! - [`line()`] and [`lines`] are for text that is meant to be read: messages of a host, output of
//!   a command. Backslashes stay, so text that was escaped before (a message that quotes a name) is
//!   not changed again.
//!
//! Unsafe characters are written as escapes: `\n`, `\t`, `\r`, `\u{202e}` for a character, `\xff`
//! for a byte that is not UTF-8.

use std::path::Path;

/// One name, path or value: no line breaks, and never the same result for two different inputs.
pub fn name(bytes: impl AsRef<[u8]>) -> String {
    escaped(bytes.as_ref(), |c| c == '\\' || is_unsafe(c))
}

/// As [`name`], for a path.
pub fn path(path: &Path) -> String {
    name(path.as_os_str().as_encoded_bytes())
}

/// One line of text. Line breaks become escapes; tabs and backslashes stay.
pub fn line(bytes: impl AsRef<[u8]>) -> String {
    escaped(bytes.as_ref(), |c| c != '\t' && is_unsafe(c))
}

/// Text of several lines. Line breaks (also those of Windows), tabs and backslashes stay.
pub fn lines(bytes: impl AsRef<[u8]>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for one in bytes.as_ref().split(|&byte| byte == b'\n') {
        shown.push(line(one.strip_suffix(b"\r").unwrap_or(one)));
    }
    shown.join("\n")
}

/// The last `limit` bytes of a text of several lines, as [`lines`] returns them; a character is not
/// cut in two.
pub fn last_lines(bytes: &[u8], limit: usize) -> String {
    let is_continuation = |byte: &u8| byte & 0xc0 == 0x80;
    let mut start = bytes.len().saturating_sub(limit);
    if start > 0 {
        start += bytes[start..].iter().take(3).take_while(|byte| is_continuation(byte)).count();
    }
    lines(&bytes[start..])
}

/// Whether a character can change how the text around it looks, or is invisible.
///
/// These are the control characters, line and paragraph separators, format characters, default
/// ignorable code points and noncharacters of Unicode 16 (its categories Cc, Zl, Zp and Cf, and its
/// properties `Default_Ignorable_Code_Point` and `Noncharacter_Code_Point`). Left out are U+FE00 to
/// U+FE0F, which select one of the forms of the character before them, as many programs print with
/// emoji.
pub fn is_unsafe(character: char) -> bool {
    let code = u32::from(character);
    let is_noncharacter = code & 0xfffe == 0xfffe;
    let at = UNSAFE.partition_point(|&(_, last)| last < code);
    is_noncharacter || UNSAFE.get(at).is_some_and(|&(first, _)| first <= code)
}

/// First and last code points, in order; noncharacters at the end of each plane are computed. A
/// test compares this with Unicode's tables.
#[rustfmt::skip]
const UNSAFE: [(u32, u32); 27] = [
    (0x0000, 0x001f), (0x007f, 0x009f), (0x00ad, 0x00ad), (0x034f, 0x034f),
    (0x0600, 0x0605), (0x061c, 0x061c), (0x06dd, 0x06dd), (0x070f, 0x070f),
    (0x0890, 0x0891), (0x08e2, 0x08e2), (0x115f, 0x1160), (0x17b4, 0x17b5),
    (0x180b, 0x180f), (0x200b, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f),
    (0x3164, 0x3164), (0xfdd0, 0xfdef), (0xfeff, 0xfeff), (0xffa0, 0xffa0),
    (0xfff0, 0xfffb), (0x110bd, 0x110bd), (0x110cd, 0x110cd), (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3), (0x1d173, 0x1d17a), (0xe0000, 0xe0fff),
];

fn escaped(bytes: &[u8], must_be: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                c if !must_be(c) => shown.push(c),
                '\n' | '\t' | '\r' | '\\' => shown.extend(character.escape_default()),
                c => shown.extend(c.escape_unicode()),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn the_table_equals_that_of_unicode() {
        let unsafe_classes = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]";
        let pattern = Regex::new(unsafe_classes).expect("a valid pattern");
        for c in '\0'..=char::MAX {
            let expected = pattern.is_match(c.encode_utf8(&mut [0; 4]))
                && !matches!(c, '\u{fe00}'..='\u{fe0f}');
            assert_eq!(is_unsafe(c), expected, "{c:?}");
        }
    }

    #[test]
    fn unsafe_characters_are_escaped() {
        let cases: [(&[u8], &str); 12] = [
            (b"\x1b[2Jgone", "\\u{1b}[2Jgone"),
            (b"\x07bell\x7f", "\\u{7}bell\\u{7f}"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
            (b"\xff ok \xc3\xa4", "\\xff ok \u{e4}"),
            (b"half \xe2\x80", "half \\xe2\\x80"),
            ("a\u{202e}gnp.js".as_bytes(), "a\\u{202e}gnp.js"),
            ("\u{2066}\u{200f}\u{61c}".as_bytes(), "\\u{2066}\\u{200f}\\u{61c}"),
            ("one\u{2028}two".as_bytes(), "one\\u{2028}two"),
            ("pay\u{200b}pal\u{ad}".as_bytes(), "pay\\u{200b}pal\\u{ad}"),
            ("tag\u{e0041}".as_bytes(), "tag\\u{e0041}"),
            ("non\u{fdd0}\u{1ffff}".as_bytes(), "non\\u{fdd0}\\u{1ffff}"),
            ("\u{26a0}\u{fe0f} e\u{301}\u{3000}.".as_bytes(), "\u{26a0}\u{fe0f} e\u{301}\u{3000}."),
        ];
        for (raw, shown) in cases {
            assert_eq!(name(raw), shown);
            assert_eq!(line(raw), shown);
            assert_eq!(lines(raw), shown);
        }
    }

    #[test]
    fn breaks_tabs_and_backslashes() {
        let raw = "a\r\nb\tc\rd\\n";
        assert_eq!(name(raw), r"a\r\nb\tc\rd\\n");
        assert_eq!(line(raw), "a\\r\\nb\tc\\rd\\n");
        assert_eq!(lines(raw), "a\nb\tc\\rd\\n");
    }

    #[test]
    fn the_end_of_a_text_begins_with_a_whole_character() {
        let text = "\u{1f4a5} no \u{e4}";
        for (limit, shown) in [(99, text), (10, text), (9, " no \u{e4}"), (1, ""), (0, "")] {
            assert_eq!(last_lines(text.as_bytes(), limit), shown, "{limit}");
        }
        assert_eq!(last_lines(&[0xbf; 6], 5), "\\xbf\\xbf");
    }

    proptest! {
        #[test]
        fn different_names_look_different(
            one in proptest::collection::vec(any::<u8>(), 0..12),
            other in "[\\\\nrtux0-9a-f{}\n\t\r\u{202e}]{0,12}",
        ) {
            prop_assert_eq!(unescaped(&name(&one)), one);
            prop_assert_eq!(unescaped(&name(&other)), other.as_bytes());
        }

        #[test]
        fn shown_text_stays_as_it_is(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            let shown = lines(&raw);
            prop_assert_eq!(lines(&shown), shown.clone());
            prop_assert!(!shown.contains(|c| c != '\n' && c != '\t' && is_unsafe(c)));
            let shown = name(&raw);
            prop_assert_eq!(line(&shown), shown);
        }
    }

    /// Reverses [`name`].
    fn unescaped(shown: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = shown;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                bytes.extend(c.to_string().bytes());
                continue;
            }
            let kind = rest.chars().next().expect("an escape is complete");
            rest = &rest[1..];
            match kind {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                '\\' => bytes.push(b'\\'),
                'x' => {
                    bytes.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
                    rest = &rest[2..];
                }
                'u' => {
                    let (digits, after) = rest[1..].split_once('}').expect("braces");
                    let code = u32::from_str_radix(digits, 16).expect("digits");
                    bytes.extend(char::from_u32(code).expect("a character").to_string().bytes());
                    rest = after;
                }
                other => panic!("no such escape: {other:?}"),
            }
        }
        bytes
    }
}
