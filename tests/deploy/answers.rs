//! Rollback, status and dry runs say what came back, what is live and what would happen.

use std::process::Command;

use crate::fleet::Fleet;
use crate::support::{OrFail, Ran};

/// Commits everything in the project; gives the revision as deploys show it.
fn commit(fleet: &Fleet) -> String {
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@localhost"]).args(words);
        let output = git.current_dir(fleet.project()).output().or_fail();
        assert!(output.status.success(), "git {words:?}: {output:?}");
        String::from_utf8(output.stdout).or_fail().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["add", "assetsync.toml"]);
    git(&["commit", "-q", "--allow-empty", "-m", "a version"]);
    git(&["rev-parse", "--short=12", "HEAD"])
}

#[track_caller]
fn run(fleet: &Fleet, words: &str) -> Ran {
    let ran = fleet.run(words);
    assert_eq!(ran.code(), Some(0), "{words}: {}{}", ran.stdout(), ran.stderr());
    ran
}

/// The rest of the line after `label`, without the indentation.
#[track_caller]
fn line(text: &str, label: &str) -> String {
    let found = text.lines().find_map(|line| line.trim_start().strip_prefix(label));
    found.unwrap_or_else(|| panic!("no line {label}: {text}")).trim().to_owned()
}

#[test]
fn a_rollback_says_what_it_brings_back_and_a_dry_run_what_would_be_done() {
    let fleet = Fleet::of(2);
    fleet.configure("build.command = 'true'\nbuild.cleanup = false\n");
    let revision = commit(&fleet);
    fleet.build(&[("app.js", "one"), ("page.html", "one")]);
    let first = run(&fleet, "deploy production").stdout();
    let id = first.split_whitespace().nth(2).unwrap_or_default().to_owned();
    fleet.build(&[("app.js", "two"), ("page.html", "one")]);
    let would = run(&fleet, "deploy production --dry-run").stdout();
    for host in ["web1", "web2"] {
        assert_eq!(line(&would, &format!("{host}:")), "2 paths would be published", "{would}");
    }
    run(&fleet, "deploy production");

    let would = run(&fleet, "rollback production --dry-run").stdout();
    let back = run(&fleet, "rollback production").stdout();
    let (would, back) = (line(&would, "would bring back:"), line(&back, "brought back:"));
    assert_eq!(would, back);
    assert!(back.starts_with(&format!("{id} of 20")), "{back}");
    assert!(back.ends_with(&format!(", revision {revision}, 2 files")), "{back}");
    assert!(back.contains(" by ") && back.contains('@'), "{back}");
}

#[test]
fn status_shows_revisions_and_warns_of_hosts_on_different_deploys() {
    let fleet = Fleet::of(2);
    fleet.configure("build.command = 'true'\nbuild.cleanup = false\n");
    let revision = commit(&fleet);
    fleet.build(&[("app.js", "one")]);
    run(&fleet, "deploy production");
    let status = run(&fleet, "status production");
    assert!(line(&status.stdout(), "live").ends_with(&format!(", revision {revision}")));
    assert_eq!(status.stderr(), "");
    fleet.build(&[("app.js", "two")]);
    run(&fleet, "deploy production --hosts web1");
    let status = run(&fleet, "status production");
    let warning = line(&status.stderr(), "warning: different deploys are live:");
    assert!(warning.starts_with("web1 20") && warning.contains(", web2 20"), "{warning}");
    assert!(status.stdout().contains("to bring one of these back: assetsync rollback STAGE ID"));
}
