//! Text of a host and names of files never drive the terminal.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::{NONCE, shell};
use crate::interruptions::faults::{Push, Site};

/// Escape, reversed order, a new line, a carriage return, an invisible character, a byte that is no
/// character: as
/// `printf` takes them.
const HOSTILE: &str = r"\033[2J\342\200\256gnp\nassetsync: done\rX\342\200\213\377";

#[test]
fn text_of_a_host_does_not_drive_the_terminal() {
    let site = Site::new();
    let lines = [
        format!("printf '{HOSTILE}' >&2; exit 3"),
        format!("printf '{HOSTILE}'; exit 3"),
        format!("printf '{HOSTILE}\n'; exec /bin/sh -c \"$2\""),
        format!("{NONCE}printf \"assetsync:$1:unsupported:{HOSTILE}\\n\""),
        format!("{NONCE}printf \"assetsync:$1:nowhere:{HOSTILE}\\n\""),
    ];
    for lines in lines {
        let shell = shell(&site, &lines);
        let outcome = site.push_by(&shell).run();
        outcome.assert_safe_to_show();
        assert!(
            format!("{}{}", outcome.stdout, outcome.stderr).contains("u{202e}"),
            "{outcome:#?}"
        );
        let shell = format!("/bin/sh {}", shell.display());
        let destination = format!("somewhere:{}", site.destination().display());
        assert_words_are_safe(&site.source(), &["-v", "-e", &shell, &destination]);
    }
}

#[test]
fn names_of_files_do_not_drive_the_terminal() {
    let site = Site::new();
    let hostile = "a\u{1b}[2J\u{202e}gnp\nb\r\u{200b}.js";
    fs::write(site.source().join(hostile), "x").unwrap();
    let destination = site.dir.join("other").display().to_string();
    let outcome = Push::new(&site.source(), &destination).with(["-n"]).run();
    outcome.assert_safe_to_show();
    assert!(outcome.stdout.contains("u{202e}gnp"), "{outcome:#?}");
    assert_words_are_safe(&site.source(), &["-n", "--itemize-changes", &destination]);
    assert_words_are_safe(&site.source(), &["-v", &destination]);
    assert_words_are_safe(&site.dir.join(hostile), &[&destination]);
}

/// Pushes, without `--json`, and checks that what was reversed is there as an escape, and nothing
/// drives the terminal.
fn assert_words_are_safe(source: &Path, options: &[&str]) {
    let machine = crate::support::Machine::new();
    let ran = machine.run(
        ["push"]
            .into_iter()
            .chain(options.iter().copied().take(options.len() - 1))
            .map(OsStr::new)
            .chain([source.as_os_str(), OsStr::new(options[options.len() - 1])]),
    );
    let said = format!("{}{}", ran.stdout(), ran.stderr());
    let drives = |c: char| c != '\n' && c != '\t' && assetsync_core::text::is_unsafe(c);
    assert!(said.contains(r"\u{202e}gnp") && !said.contains(drives), "{options:?}: {said:?}");
    assert!(
        !said.lines().any(|line| line.starts_with("b\\r")),
        "a name goes over two lines: {said:?}"
    );
}
