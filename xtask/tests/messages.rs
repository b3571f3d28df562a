//! Every message that people may read, on one page, so that it can be read as a whole: what
//! happened, where, why, what to type. The page is `xtask/tests/messages.txt`; a change of a
//! message shows there, too, to whoever reviews it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Texts with fewer words are names and parts.
const WORDS: usize = 3;

/// Crates whose texts no user reads, and files whose texts are on another page: help, settings,
/// rsync's options, reports of races.
const LEFT_OUT: [&str; 14] = [
    "crates/bench/src/competitor",
    "crates/bench/src/report",
    "crates/bench/src/scenario",
    "crates/bench/src/server",
    "crates/deploy/src/config/template",
    "crates/link/",
    "crates/loopback-sshd/",
    "crates/regzip/",
    "crates/rewrite/",
    "crates/testbed/",
    "src/cli/help.rs",
    "src/cli/rsync_options/table.rs",
    "src/commands/man.rs",
    "tests",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The source files below a directory, by their path from the root.
fn sources(dir: &str, found: &mut Vec<String>) {
    let mut names: Vec<String> = fs::read_dir(root().join(dir))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    for name in names {
        let path = format!("{dir}/{name}");
        if root().join(&path).is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// The texts of code: of literals, also in macros and in `#[error(...)]`; not of tests, comments
/// and other attributes.
fn texts(code: TokenStream, found: &mut Vec<String>) {
    let mut tokens = code.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let is_inner = |token: &TokenTree| token.to_string() == "!";
                let _ = tokens.next_if(is_inner);
                let Some(TokenTree::Group(attribute)) = tokens.peek() else { continue };
                let text = attribute.stream().to_string();
                if text.starts_with("error") {
                    continue;
                }
                tokens.next();
                if text.replace(' ', "").starts_with("cfg(test)") {
                    skip_item(&mut tokens);
                }
            }
            TokenTree::Group(group) => texts(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                found.extend(text.ok().map(|text| text.value()));
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Skips an item to the end of its block, or to its semicolon.
fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    let _ = tokens.find(is_end);
}

/// Whether somebody may be told this: some words, and no command line, script or markup.
fn is_message(text: &str) -> bool {
    let word = |word: &&str| word.chars().filter(|letter| letter.is_alphabetic()).count() > 1;
    let is_code = ["<", "exec ", "assetsync:", "&&", "$(", "; do ", "-----"]
        .iter()
        .any(|code| text.contains(code));
    text.split_whitespace().filter(word).count() >= WORDS && !is_code
}

fn page() -> String {
    let mut files = Vec::new();
    sources("crates", &mut files);
    sources("src", &mut files);
    let is_wanted = |path: &&String| {
        (path.starts_with("src/") || path.contains("/src/"))
            && !LEFT_OUT.iter().any(|out| path.contains(out))
    };
    let mut page = BTreeMap::new();
    for path in files.iter().filter(is_wanted) {
        let code = fs::read_to_string(root().join(path)).expect("a source file");
        let code = TokenStream::from_str(&code).expect("source code");
        let mut found = Vec::new();
        texts(code, &mut found);
        let messages = found.into_iter().filter(|text| is_message(text));
        let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        page.insert(path.clone(), messages.map(line).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for (path, messages) in page.iter().filter(|(_, messages)| !messages.is_empty()) {
        let _ = writeln!(text, "{}", module(path));
        for message in messages {
            let _ = writeln!(text, "    {message}");
        }
    }
    text
}

/// `receiver: survey::walk` of `crates/receiver/src/survey/walk.rs`.
fn module(path: &str) -> String {
    let path = path.strip_prefix("crates/").unwrap_or(path).trim_end_matches(".rs");
    let (name, inside) = path.split_once("src/").unwrap_or((path, ""));
    let name = if name.is_empty() { "assetsync" } else { name.trim_end_matches('/') };
    format!("{name}: {}", inside.replace('/', "::"))
}

#[test]
fn the_page_of_all_messages_is_up_to_date() {
    let (path, page) = (root().join("xtask/tests/messages.txt"), page());
    if std::env::var_os("ASSETSYNC_UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("the page is written");
    }
    let there = fs::read_to_string(&path).expect("the page is read");
    let new = page.lines().filter(|line| !there.lines().any(|old| old == *line));
    let new: Vec<&str> = new.collect();
    assert!(
        there == page,
        "messages changed; read them aloud, then ASSETSYNC_UPDATE_DOCS=1 cargo nextest run -p xtask \
         the_page_of_all_messages:\n{}",
        new.join("\n")
    );
}

/// Words that puzzled people, or that only this project would say.
#[test]
fn no_message_says_what_nobody_says() {
    const AVOIDED: [&str; 13] = [
        "silence is borne",
        "same again",
        "to log in root",
        "can not",
        "cannot be used with that",
        "give it to the user",
        "with how many",
        "set aside",
        "stands there",
        "no words for",
        "is no setting",
        "is no URL",
        "it forgot",
    ];
    let page = page();
    let found: Vec<&str> =
        page.lines().filter(|line| AVOIDED.iter().any(|words| line.contains(words))).collect();
    assert!(found.is_empty(), "say it as to a colleague:\n{}", found.join("\n"));
}

#[test]
fn texts_are_found_in_macros_and_errors_and_not_in_tests() {
    let code = r##"
        #![doc = "not this one either"] #[doc = "not this one please"] const A: &str = "plain text it is";
        #[derive(Debug)] enum E { #[error("why it {0} failed")] X(u8) }
        fn f() { warn(&format!("in a {} macro", 1)); let s = r#"raw "text" it is"#; }
        #[cfg(test)] mod tests { fn g() { panic!("nobody reads this"); } }
        fn h() -> &'static str { "after the tests there" }
    "##;
    let mut found = Vec::new();
    texts(TokenStream::from_str(code).expect("code"), &mut found);
    let expected = ["plain text it is", "why it {0} failed", "in a {} macro", "raw \"text\" it is"];
    assert_eq!(found[..4], expected);
    assert_eq!(found[4..], ["after the tests there"]);
}
