//! Every message: `errors.txt` has files and the errors of each.

use super::{overrides, with};
use crate::config::{ConfigFile, Overrides, Problems, Severity};

/// The width of messages; excerpts are cut a little later.
const COLUMNS: usize = 82;

const CASES: &str = include_str!("errors.txt");

/// The errors of a file and its first stage.
fn said(text: &str) -> String {
    match run(text) {
        Err(problems) => problems.to_string(),
        Ok(warnings) => warnings,
    }
}

fn run(text: &str) -> Result<String, Problems> {
    let file = ConfigFile::parse("assetsync.toml", text)?;
    let stage = file.stages().next().unwrap_or("production");
    let settings = file.resolve(Some(stage), &Overrides::default())?;
    settings.deployment()?;
    let warnings: Vec<String> = settings.warnings().iter().map(ToString::to_string).collect();
    Ok(warnings.join("\n\n"))
}

/// Found by fuzzing.
#[test]
fn what_is_wrong_may_be_a_carriage_return_that_is_not_shown() {
    for text in ["a = 1\r\r\r\n", "# a\r\rb", "a = \"b\r\r\r", "\r\r\r"] {
        let problems = ConfigFile::parse("assetsync.toml", text).expect_err("a lone \\r");
        assert!(problems.to_string().starts_with("error: Not valid TOML"), "{problems}");
    }
}

#[test]
fn messages() {
    let mut count = 0;
    for case in CASES.split("#### ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (text, expected) = rest.split_once("----\n").expect("a message");
        assert_eq!(said(text).trim_end(), expected.trim_end(), "{title}");
        let long = expected.lines().find(|line| line.chars().count() > COLUMNS);
        assert_eq!(long, None, "{title}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn errors_of_the_command_line() {
    let rows = [
        (
            "assets.retention.kep=3",
            "\
error: Unknown key 'assets.retention.kep'
 |
 | --set assets.retention.kep=3
 |       ^^^^^^^^^^^^^^^^^^^^
 |
 = hint: the nearest key is 'assets.retention.keep'",
        ),
        (
            "keep=3",
            "\
error: Unknown key 'keep'
 |
 | --set keep=3
 |       ^^^^
 |
 = hint: the nearest key is 'assets.retention.keep'",
        ),
        (
            "assets.retention.keep=many",
            "\
error: 'assets.retention.keep' must be a whole number, not text
 |
 | --set assets.retention.keep=many
 |                             ^^^^
 |
 = hint: write it without quotes, as 5",
        ),
        (
            "deploy_to",
            "\
error: 'deploy_to' is not of the form key=value
 |
 | --set deploy_to
 |       ^^^^^^^^^
 |
 = hint: write --set assets.retention.keep=5",
        ),
        (
            "deploy_to=",
            "\
error: 'deploy_to' is empty
 |
 | --set deploy_to=
 |                 ^
 |
 = hint: write a value, or take the line out",
        ),
        (
            "assets.roles=app,-x",
            "\
error: 'assets.roles' begins with '-'
 |
 | --set assets.roles=app,-x
 |                        ^^
 |
 = hint: programs would take it for an option",
        ),
    ];
    let file = ConfigFile::parse("assetsync.toml", &with("")).expect("a good file");
    for (argument, expected) in rows {
        let error = file.resolve(Some("production"), &overrides(&[], &[argument])).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn errors_of_the_environment() {
    let file = ConfigFile::parse("assetsync.toml", &with("")).expect("a good file");
    let given = overrides(&[("ASSETSYNC_MAX_PARALLEL", "0")], &[]);
    let expected = "\
error: 'max_parallel' is 0; it goes from 1 to 1000
 |
 | ASSETSYNC_MAX_PARALLEL=0
 |                        ^
 |
 = hint: write another number";
    assert_eq!(file.resolve(None, &given).unwrap_err().to_string(), expected);

    let given = overrides(&[("ASSETSYNC_DEPLOYTO", "/x"), ("ASSETSYNC_AGENTS", "/y")], &[]);
    let settings = file.resolve(None, &given).expect("only a warning");
    let [warning] = settings.warnings() else { panic!("{:?}", settings.warnings()) };
    assert_eq!(warning.problem.severity(), Severity::Warning);
    let expected = "\
warning: ASSETSYNC_DEPLOYTO names no setting
 |
 | ASSETSYNC_DEPLOYTO=/x
 | ^^^^^^^^^^^^^^^^^^
 |
 = hint: the nearest name is ASSETSYNC_DEPLOY_TO";
    assert_eq!(warning.to_string(), expected);
}

#[test]
fn a_stage_that_is_not_there() {
    let file = ConfigFile::parse("assetsync.toml", &with("")).expect("a good file");
    let message = |stage| file.resolve(Some(stage), &Overrides::default()).unwrap_err().to_string();
    let expected =
        "error: There is no stage 'prodution'\n  |\n  = hint: the nearest is 'production'";
    assert_eq!(message("prodution").replace("\n |\n =", "\n  |\n  ="), expected);
    let expected = "error: There is no stage 'x'\n  |\n  = hint: it is one of production";
    assert_eq!(message("x").replace("\n |\n =", "\n  |\n  ="), expected);
    let common = file.resolve(None, &Overrides::default()).expect("all stages' settings");
    let expected = "error: A stage must be named\n |\n = hint: it is one of production";
    assert_eq!(common.deployment().unwrap_err().to_string(), expected);
}

#[test]
fn a_file_that_is_far_too_large() {
    let text = "#".repeat((1 << 20) + 1);
    let error = ConfigFile::parse("assetsync.toml", &text).unwrap_err().to_string();
    assert!(error.contains("it has 1048577 bytes, more than 1048576"), "{}", &error[..200]);
}
