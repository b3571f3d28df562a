//! TOML strings and keys, lists in words, and line breaks.

use assetsync_core::text::is_unsafe;

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if is_unsafe(c) => {
                quoted.push_str(&format!("\\U{:08X}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `name` as one part of a dotted TOML key.
pub(crate) fn key_part(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { quoted(name) }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn enumerated(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// `text` in lines of at most `columns` characters, where its words allow.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrapped("a bc def ghijklm n", 6), "a bc\ndef\nghijklm\nn");
        assert_eq!(wrapped("", 6), "");
    }

    #[test]
    fn words_are_listed_as_people_do() {
        let rows: [(&[&str], &str); 4] =
            [(&[], ""), (&["a"], "a"), (&["a", "b"], "a and b"), (&["a", "b", "c"], "a, b and c")];
        for (words, expected) in rows {
            assert_eq!(enumerated(words), expected);
        }
    }

    #[test]
    fn toml_reads_back_what_is_quoted() {
        for text in
            ["", "a b", "\"\\", "tab\there", "\u{0}\u{7f}\u{85}\u{202e}\u{200b}\u{e0041}", "üñ\n\r"]
        {
            let document = format!("{} = {}", key_part(text), quoted(text));
            assert!(!document.contains(is_unsafe), "{document}");
            let read = toml::de::DeTable::parse(&document).expect("valid TOML").into_inner();
            let (key, value) = read.iter().next().expect("one pair");
            assert_eq!((&**key.get_ref(), value.get_ref().as_str()), (text, Some(text)));
        }
    }
}
