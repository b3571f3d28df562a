//! Shortens the bootstrap script for the command line: people read `src/bootstrap.sh`; what is sent
//! has no comments, no indentation and one-letter names, and is one line.
//!
//! This does not parse shell. It relies on how the script is written: a comment has its own lines,
//! a quoted text ends on the line where it begins, and so does `$(...)`. What breaks that shows in
//! the tests, which run the result in many shells.

/// The script's variables and functions, and their names in the result.
pub const NAMES: &[(&str, &str)] = &[
    ("checksum", "c"),
    ("directory", "d"),
    ("failure", "e"),
    ("format", "f"),
    ("hash", "h"),
    ("hello", "x"),
    ("hello_word", "g"),
    ("incoming", "t"),
    ("install_agent", "I"),
    ("is_agent", "A"),
    ("is_private", "P"),
    ("is_usable", "U"),
    ("last", "q"),
    ("length", "z"),
    ("links", "l"),
    ("machine", "M"),
    ("mode", "m"),
    ("nonce", "n"),
    ("old", "O"),
    ("open", "W"),
    ("os", "k"),
    ("owner", "o"),
    ("pair", "i"),
    ("parent", "D"),
    ("platform", "p"),
    ("program", "a"),
    ("rest", "r"),
    ("say", "S"),
    ("size", "s"),
    ("uid", "u"),
    ("unpacker", "y"),
    ("unusable", "b"),
    ("user", "Z"),
    ("user_umask", "w"),
    ("wanted", "v"),
];

/// Lines that end in one of these continue in the next one.
const OPEN_ENDS: [&str; 4] = [";;", "|", "||", "&&"];
/// Lines that end in one of these continue in the next one, after a space.
const OPEN_WORDS: [&str; 6] = ["{", "in", "do", "then", "else", "\\"];

/// The script on one line.
pub fn minify(script: &str) -> String {
    let lines = script.lines().map(str::trim).filter(|line| !is_comment(line));
    let joined: String =
        lines.flat_map(|line| [line.trim_end_matches(['\\', ' ']), joint(line)]).collect();
    rename(joined.trim_end_matches(';'))
}

fn is_comment(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// The separator of a line and the next one.
fn joint(line: &str) -> &'static str {
    let last = line.rsplit(' ').next().unwrap_or_default();
    let is_pattern = line.ends_with(')') && !line.contains('(');
    if is_pattern || OPEN_ENDS.contains(&last) {
        ""
    } else if OPEN_WORDS.contains(&last) {
        " "
    } else {
        ";"
    }
}

/// Replaces whole words only.
fn rename(line: &str) -> String {
    let mut renamed = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let short = NAMES.iter().find(|(long, _)| *long == word);
        renamed.push_str(short.map_or(word, |(_, short)| short));
        let next = after.find(is_word).unwrap_or(after.len());
        renamed.push_str(&after[..next]);
        rest = &after[next..];
    }
    renamed
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
