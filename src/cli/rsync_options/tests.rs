use std::fmt::Write;

use clap::Command;

use super::CLASHES;
use super::option::Meaning;
use super::table::OPTIONS;

fn push() -> Command {
    let command = crate::cli::command();
    command.find_subcommand("push").expect("there is a push").clone()
}

/// What rsync's own help lists: the names of an option, and whether it takes a value.
fn of_rsync() -> Vec<(Vec<String>, bool)> {
    let output = std::process::Command::new("rsync").arg("--help").output().expect("rsync runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let options = help.lines().skip_while(|line| *line != "Options").chain(help.lines());
    let lines = options.filter(|line| line.starts_with('-'));
    let read = |line: &str| {
        let names = line.split("  ").next().unwrap_or_default();
        let values = names.contains('=');
        let names = names.split(", ").map(|name| name.split('=').next().unwrap_or(name).to_owned());
        (names.collect(), values)
    };
    lines.map(read).collect()
}

#[test]
fn every_option_of_the_installed_rsync_is_decided() {
    let options = of_rsync();
    assert!(options.len() > 100, "rsync --help lists {} options", options.len());
    for (names, takes_value) in options {
        for name in names.iter().filter(|name| *name != "--no-OPTION") {
            let long = name.strip_prefix("--");
            let found = OPTIONS.iter().find(|option| match (long, name.strip_prefix('-')) {
                (Some(long), _) => option.long.contains(&long),
                (None, Some(short)) => option.short == short.chars().next(),
                (None, None) => false,
            });
            let clashes = CLASHES.iter().any(|clash| *name == format!("-{}", clash.short));
            assert!(found.is_some() || clashes || *name == "--help", "{name}");
            if let (Some(option), Some(_)) = (found, long) {
                assert_eq!(option.takes_value, takes_value, "{name}");
            }
        }
    }
}

/// An option of the same name must exist, take a value if rsync's does, and be repeatable.
#[test]
fn options_of_the_same_name_exist() {
    let push = push();
    for option in OPTIONS.iter().filter(|option| matches!(option.meaning, Meaning::Same)) {
        for long in option.long {
            let by_name = |arg: &&clap::Arg| {
                arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(long))
                    || arg.get_all_aliases().is_some_and(|names| names.contains(long))
            };
            let arg = push.get_arguments().find(by_name).unwrap_or_else(|| panic!("--{long}"));
            assert_eq!(arg.get_action().takes_values(), option.takes_value, "--{long}");
            let short = option.short.filter(|short| arg.get_short() != Some(*short));
            assert_eq!(short, None, "--{long}");
        }
    }
}

#[test]
fn the_page_of_the_options_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rsync-options.md");
    let page = page();
    if std::env::var_os("ASSETSYNC_UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page is written");
    }
    let there = std::fs::read_to_string(path).expect("the page is read");
    assert!(there == page, "{path} is old; run the test with ASSETSYNC_UPDATE_DOCS=1");
}

fn page() -> String {
    let mut page = String::from(
        "# rsync's options\n\n\
         Every option of rsync 3.5, and what `assetsync push` does with it. Options may be repeated \
         and bundled, as in\n`-avz`. This page is generated: \
         `ASSETSYNC_UPDATE_DOCS=1 cargo nextest run --bins the_page_of_the_options`.\n\n\
         Three short options mean here what they mean for ssh:\n\n\
         | option | takes | in place of rsync's |\n|---|---|---|\n",
    );
    for clash in CLASHES {
        writeln!(page, "| `-{}` | {} | {} |", clash.short, clash.takes, clash.instead)
            .expect("a string");
    }
    type Belongs = fn(&Meaning) -> bool;
    let parts: [(&str, Belongs); 3] = [
        ("Works as in rsync", |meaning| matches!(meaning, Meaning::Same)),
        ("Accepted without effect", |meaning| matches!(meaning, Meaning::Always(_))),
        ("Refused", |meaning| matches!(meaning, Meaning::Refused(_))),
    ];
    for (title, belongs) in parts {
        writeln!(page, "\n## {title}\n\n| option | |\n|---|---|").expect("a string");
        for option in OPTIONS.iter().filter(|option| belongs(&option.meaning)) {
            let short = option.short.map(|short| format!("`-{short}`"));
            let long = option.long.iter().map(|long| format!("`--{long}`"));
            let names = short.into_iter().chain(long).collect::<Vec<_>>().join(" ");
            let text = match option.meaning {
                Meaning::Same => "",
                Meaning::Always(reason) | Meaning::Refused(reason) => reason,
            };
            writeln!(page, "| {names} | {text} |").expect("a string");
        }
    }
    page
}
