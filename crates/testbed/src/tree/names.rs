//! Random names, most of them plain.

use fastrand::Rng;

/// Names that break what was not written with them in mind: shells, line-based lists, options,
/// patterns, text encodings.
const ODD: [&[u8]; 24] = [
    b"\xff\xfe.bin",
    b"caf\xe9.css",
    "\u{e9}t\u{e9}.js".as_bytes(),
    "e\u{301}te\u{301}.js".as_bytes(),
    b"new\nline",
    b"-rf",
    b"--delete",
    b" lead",
    b"trail ",
    b"two  spaces.js",
    b"it's",
    b"say \"so\"",
    b"$(touch x)",
    b"`id`",
    b"back\\slash",
    b"*",
    b"[a-z]?",
    b"~",
    b"#hash",
    b"%41%2e",
    b"host:path",
    b"tab\there",
    b"...",
    b".hidden",
];

/// Names of plain files and directories.
const PLAIN: [&str; 12] = [
    "app", "vendor", "main", "icons", "theme", "print", "chart", "login", "admin", "fonts", "img",
    "data",
];

/// File name endings a web bundle has.
const EXTENSIONS: [&str; 9] = ["js", "css", "map", "html", "svg", "png", "woff2", "json", "txt"];

/// The longest name a file can have.
const LONGEST: usize = 255;

/// A name for a file or a directory, odd one time in four.
pub(super) fn name(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..16) {
        0..=2 => ODD[rng.usize(..ODD.len())].to_vec(),
        3 => vec![rng.alphabetic() as u8; LONGEST],
        _ => plain(rng),
    }
}

fn plain(rng: &mut Rng) -> Vec<u8> {
    let stem = PLAIN[rng.usize(..PLAIN.len())];
    let extension = EXTENSIONS[rng.usize(..EXTENSIONS.len())];
    match rng.u8(..4) {
        0 => stem.to_owned(),
        1 => format!("{stem}-{}.{extension}", rng.u8(..)),
        _ => format!("{stem}.{extension}"),
    }
    .into_bytes()
}

/// Targets of symbolic links: within the tree, missing, and out of the tree.
pub(super) fn link_target(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..6) {
        0 => b"/nonexistent/place".to_vec(),
        1 => b"../../outside".to_vec(),
        2 => b".".to_vec(),
        3 => b"dangling\nlink".to_vec(),
        4 => [b"../", &name(rng)[..]].concat(),
        _ => name(rng),
    }
}
