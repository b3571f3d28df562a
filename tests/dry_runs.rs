//! A dry run says all that it did: the agent is installed where it is missing, but not over SFTP.

use std::fs;
use std::path::{Path, PathBuf};

use assetsync_testbed::tree::snapshot;
use serde_json::Value;

use crate::fleet::{Fleet, events};
use crate::support::{
    Machine, OrFail, Ran, Way, assert_untouched, local_shell, scratch, sshd, text,
};

/// A source of one file.
fn source(dir: &Path) -> PathBuf {
    let source = dir.join("source");
    fs::create_dir(&source).or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    source
}

/// A dry run in words.
fn look(machine: &Machine, way: &Way, source: &Path) -> Ran {
    let options = way.options.iter().cloned();
    let words = ["push".to_owned(), "-n".to_owned()].into_iter().chain(options);
    machine.run(words.chain([text(source), way.destination.clone()]))
}

/// The agent that a line of `--json` says was installed is where it says.
#[track_caller]
fn assert_installed(events: &[Value]) {
    let mut installed = events.iter().filter(|event| event["event"] == "agent_installed");
    let event = installed.next().expect("an agent_installed event");
    let path = event["path"].as_str().unwrap_or_default();
    let size = fs::metadata(path).unwrap_or_else(|error| panic!("{event}: {error}")).len();
    assert_eq!(event["bytes"].as_u64(), Some(size), "{event}");
    assert!(installed.next().is_none());
}

#[test]
fn the_first_look_at_a_host_says_that_the_agent_was_installed() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = source(dir.path());
    let way = Way::shell(&local_shell(dir.path()), &dir.path().join("assets"));
    let first = look(&machine, &way, &source);
    assert_eq!(first.code(), Some(0), "{}", first.stderr());
    let said = first.stdout();
    let cache = text(&dir.path().join("cache/assetsync/agent-"));
    assert!(!said.contains("nothing was changed"), "{said}");
    for part in [
        "the destination was not changed",
        &cache,
        " MB",
        "to install nothing: -n --transport sftp",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let second = look(&machine, &way, &source).stdout();
    assert!(second.contains("dry run: nothing was changed"), "{second}");
    assert!(!second.contains("installed the agent"), "{second}");
    assert!(!dir.path().join("assets").exists());
}

#[test]
fn programs_are_told_where_the_agent_is_and_how_large() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = source(dir.path());
    let way = Way::shell(&local_shell(dir.path()), &dir.path().join("assets"));
    assert_installed(&events(&machine.try_push(&way, &["-n"], &source)));
}

/// This machine's own agent is told, too; SFTP is no way to a local directory.
#[test]
fn the_first_look_at_a_local_directory_says_it_too() {
    let (machine, dir) = (Machine::new(), scratch());
    let said =
        look(&machine, &Way::local(&dir.path().join("assets")), &source(dir.path())).stdout();
    assert!(said.contains("which the host did not have: ") && !said.contains("sftp"), "{said}");
}

#[test]
fn a_look_over_sftp_installs_nothing() {
    let (machine, dir, sshd) = (Machine::new(), scratch(), sshd());
    let source = source(dir.path());
    let way = Way::ssh(sshd.route(), dir.path().join("assets")).with(&["--transport", "sftp"]);
    let before = snapshot(&sshd.home()).or_fail();
    let ran = look(&machine, &way, &source);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stdout().contains("app.js"), "{}", ran.stdout());
    assert!(ran.stdout().contains("dry run: nothing was changed"), "{}", ran.stdout());
    assert_untouched(&before, &sshd.home());
    assert!(!dir.path().join("assets").exists());
}

#[test]
fn the_first_look_at_a_stage_says_that_agents_were_installed() {
    let fleet = Fleet::of(2);
    fleet.build(&[("app-0000000a.js", "app()")]);
    let ran = fleet.run("deploy production --dry-run");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert_eq!(
        ran.stderr().matches("installed the agent, which the host did not have: /").count(),
        2
    );
    assert!(ran.stdout().contains("production: dry run, no assets were changed"));
    let again = fleet.run("deploy production --dry-run");
    assert!(!again.stderr().contains("installed the agent"), "{}", again.stderr());
}

/// Commands that look before they stage install the agent with that look.
#[test]
fn looking_at_a_stage_says_that_agents_were_installed() {
    let fleet = Fleet::of(1);
    let ran = fleet.run("status production");
    assert!(ran.stderr().contains("which the host did not have: /"), "{}", ran.stderr());
}
