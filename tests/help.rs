//! `-h` with a push is rsync's `--human-readable`: nothing ends well that pushed nothing.

use std::fs;

use crate::support::{Machine, OrFail, assert_equal, scratch, text};

#[test]
fn h_among_rsyncs_options_pushes() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = dir.path().join("source");
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    for (at, options) in
        ["-h", "-avzh", "-avhz", "-havz", "-h -a", "-hh", "--human-readable"].iter().enumerate()
    {
        let destination = dir.path().join(format!("dest{at}"));
        let words = ["push"].into_iter().chain(options.split_whitespace()).map(str::to_owned);
        let ran = machine.run(words.chain([text(&source), text(&destination)]));
        assert_eq!(ran.code(), Some(0), "{options}: {}", ran.stderr());
        assert!(!ran.stdout().contains("Usage:"), "{options}: {}", ran.stdout());
        assert_equal(&source, &destination);
    }
    let last = dir.path().join("last");
    let ran = machine.run(["push".into(), text(&source), text(&last), "-h".to_owned()]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert_equal(&source, &last);
}

#[test]
fn h_with_options_but_no_source_is_bad_usage() {
    let machine = Machine::new();
    for words in ["-avzh", "-h --delete", "-h --json", "-nh", ""] {
        let ran = machine.run(["push"].into_iter().chain(words.split_whitespace()));
        assert_eq!((ran.code(), ran.stdout().as_str()), (Some(2), ""), "{words}");
        assert!(ran.stderr().contains("SRC"), "{words}: {}", ran.stderr());
        assert!(ran.stderr().contains("assetsync push [OPTIONS] SRC DEST..."), "{}", ran.stderr());
    }
}

/// It is taken for the name of a stage, as without `-h`.
#[test]
fn h_with_a_lone_word_is_no_help() {
    let (machine, dir) = (Machine::new(), scratch());
    let mut command = machine.command(["push", "-h", "production"]);
    let output = command.current_dir(dir.path()).output().or_fail();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_is_for_a_lone_h_and_for_help_anywhere() {
    let machine = Machine::new();
    let short = "More options and examples: assetsync push --help";
    let long = "3 some destinations failed";
    let rows: [(&[&str], &str); 8] = [
        (&["push", "-h"], short),
        (&["push", "--help"], long),
        (&["help", "push"], long),
        (&["push", "source", "dest", "--help"], long),
        (&["push", "-av", "--help"], long),
        (&["-h"], "Commands:"),
        (&["--help"], "Commands:"),
        (&["deploy", "-h"], "Usage: assetsync deploy"),
    ];
    for (words, expected) in rows {
        let ran = machine.run(words);
        assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{words:?}");
        let said = ran.stdout();
        assert!(said.contains(expected) && said.contains("Usage: assetsync"), "{words:?}: {said}");
    }
}

/// Letters of rsync that would end a push well without one.
#[test]
fn a_version_is_told_by_the_program_alone() {
    let machine = Machine::new();
    for words in [["push", "-avV", "source", "dest"], ["push", "--version", "source", "dest"]] {
        assert_eq!(machine.run(words).code(), Some(2), "{words:?}");
    }
    assert_eq!(machine.run(["-V"]).code(), Some(0));
}
