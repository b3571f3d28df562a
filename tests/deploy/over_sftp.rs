//! Promise: a host where no agent can run gets a deploy over SFTP, all or none with the other
//! hosts, and every command says what it can't do there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use assetsync_testbed::Sshd;
use serde_json::Value;

use crate::fleet::{Fleet, events};
use crate::sftp::refusing;
use crate::support::{OrFail, Ran, scratch, text};

/// One host with an agent, one that allows nothing but SFTP.
fn mixed() -> Fleet {
    let agent = Sshd::builder().in_home().start().or_fail();
    let sftp = Sshd::builder().config("ForceCommand internal-sftp").start().or_fail();
    Fleet::from([agent, sftp])
}

fn version(fleet: &Fleet, version: u32) {
    let script = format!("app-{version:08x}.js");
    let page = format!("<script src={script}></script>");
    fleet.build(&[
        (&script, &format!("version {version}")),
        ("index.html", &page),
        ("a.css", "{}"),
    ]);
}

/// The version that is live, with all of it.
fn live(assets: &Path) -> Option<u32> {
    let page = fs::read_to_string(assets.join("index.html")).ok()?;
    let script = page.strip_prefix("<script src=")?.strip_suffix("></script>")?;
    let content = fs::read_to_string(assets.join(script)).ok()?;
    content.strip_prefix("version ")?.parse().ok()
}

#[track_caller]
fn assert_live(fleet: &Fleet, expected: [u32; 2], when: &str) {
    let found = fleet.hosts.iter().map(|host| live(&host.assets())).collect::<Vec<_>>();
    assert_eq!(found, expected.map(Some), "{when}");
}

#[track_caller]
fn deploy(fleet: &Fleet) -> Ran {
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    ran
}

/// Nothing of a push is left but what says that there was one.
#[track_caller]
fn assert_clean(fleet: &Fleet, host: usize) {
    let work = fleet.hosts[host].assets().with_file_name(".assetsync-assets");
    let left = fs::read_dir(work).or_fail().map(|entry| entry.or_fail().file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["pushed"]);
}

#[test]
fn a_host_without_an_agent_is_deployed_to_and_one_line_says_what_that_costs() {
    let fleet = mixed();
    for n in 1..=2 {
        version(&fleet, n);
        let ran = deploy(&fleet);
        let stderr = ran.stderr();
        let said: Vec<&str> = stderr.lines().filter(|line| line.contains("over SFTP: ")).collect();
        let [said] = said[..] else { panic!("{stderr}") };
        assert!(said.contains("web2: "), "{said}");
        assert!(said.contains("changed files are sent whole, old files are not deleted"), "{said}");
        assert!(
            said.ends_with("; to avoid SFTP, log in as a user that may run commands"),
            "{said}"
        );
        assert_live(&fleet, [n, n], "deployed");
        assert_clean(&fleet, 1);
    }
    assert!(fleet.hosts[1].assets().join("app-00000001.js").exists(), "old pages name it");
}

#[test]
fn what_takes_a_history_is_refused_per_host_and_a_prune_goes_on() {
    let fleet = mixed();
    version(&fleet, 1);
    deploy(&fleet);
    version(&fleet, 2);
    deploy(&fleet);
    let no_history =
        "a deploy over SFTP keeps no history, so there is nothing for status, verify, rollback";
    let status = fleet.run("status production");
    assert!(status.stdout().contains("web1") && status.code() == Some(1), "{}", status.stdout());
    let said = format!("{}{}", status.stdout(), status.stderr());
    assert!(said.contains(no_history), "{said}");
    let rollback = fleet.run("rollback production");
    assert_eq!(rollback.code(), Some(1), "{}", rollback.stderr());
    assert!(rollback.stderr().contains(no_history), "{}", rollback.stderr());
    assert_live(&fleet, [2, 2], "nothing was rolled back");
    let prune = fleet.run("prune production");
    assert_eq!(prune.code(), Some(0), "{}", prune.stderr());
    assert!(prune.stderr().contains(no_history), "{}", prune.stderr());
    assert!(prune.stdout().contains("pruned on 1 host\n"), "one is skipped: {}", prune.stdout());
    let prune = fleet.run("prune production --json");
    let lines = events(&prune);
    let is_of = |line: &&Value| line["event"] == "done" && line["destination"] == "web2";
    let skipped = lines.iter().find(is_of).expect("a line of web2");
    assert_eq!((&skipped["ok"], &skipped["stands"]), (&true.into(), &"before".into()));
    assert!(skipped.get("error").is_none(), "{skipped}");
    let rollback = fleet.run("rollback production --hosts web1");
    assert_eq!(rollback.code(), Some(0), "{}", rollback.stderr());
    assert_live(&fleet, [1, 2], "the other host alone");
}

#[test]
fn a_stage_is_deployed_over_sftp_where_that_is_set() {
    let fleet = Fleet::of(2);
    version(&fleet, 1);
    let ran = fleet.run("deploy production --set ssh.transport=sftp");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(
        ran.stderr().contains("web1: This host gets the deploy over SFTP: "),
        "{}",
        ran.stderr()
    );
    assert_live(&fleet, [1, 1], "deployed");
    let status = fleet.run("status production --set ssh.transport=sftp");
    let said = format!("{}{}", status.stdout(), status.stderr());
    assert!(
        said.contains("ssh.transport is \"sftp\": a deploy over SFTP keeps no history"),
        "{said}"
    );
}

#[test]
fn a_build_begins_only_if_every_host_has_an_agent_or_sftp() {
    const BUILD: &str = "build.command = \"touch built\"\nbuild.cleanup = false\n";
    let neither = Sshd::builder().config("ForceCommand /bin/false").start().or_fail();
    let fleet = Fleet::from([neither]);
    fleet.configure(BUILD);
    version(&fleet, 1);
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(!fleet.project().join("built").exists());

    let fleet = mixed();
    fleet.configure(BUILD);
    version(&fleet, 1);
    deploy(&fleet);
    assert!(fleet.project().join("built").exists());
    assert_live(&fleet, [1, 1], "deployed");
}

#[test]
fn nothing_is_published_where_another_host_can_not_be_staged() {
    let fleet = mixed();
    version(&fleet, 1);
    deploy(&fleet);
    version(&fleet, 2);
    for failing in [0, 1] {
        let assets = fleet.hosts[failing].assets();
        immutable(&assets, "+i");
        let ran = fleet.run("deploy production");
        immutable(&assets, "-i");
        assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
        assert!(
            ran.stderr().contains("1 of 2 failed, so nothing is published"),
            "{}",
            ran.stderr()
        );
        assert_live(&fleet, [1, 1], "nothing was published");
        assert_clean(&fleet, 1);
    }
    deploy(&fleet);
    assert_live(&fleet, [2, 2], "completed");
}

/// Sets or clears the attribute by which a file can't be changed.
fn immutable(file: &Path, how: &str) {
    let done = Command::new("chattr").arg(how).arg(file).status().or_fail();
    assert!(done.success());
}

#[test]
fn nothing_stays_published_where_another_host_can_not_publish() {
    for failing in [0, 1] {
        let fleet = mixed();
        version(&fleet, 1);
        deploy(&fleet);
        let page = fleet.hosts[failing].assets().join("index.html");
        let hook = format!("hooks.before_publish = [\"chattr +i {}\"]\n", page.display());
        fleet.configure(&hook);
        version(&fleet, 2);
        let ran = fleet.run("deploy production");
        immutable(&page, "-i");
        let stderr = ran.stderr();
        assert_eq!(ran.code(), Some(1), "{stderr}");
        assert!(stderr.contains("1 of 2 failed while they published"), "{stderr}");
        let taken_back = "web2: Another host failed, so what was published here is put back";
        assert_eq!(stderr.contains(taken_back), failing == 0, "{stderr}");
        assert_live(&fleet, [1, 1], "all are as they were");
        assert!(!fleet.hosts[1].assets().join("app-00000002.js").exists());
        assert_clean(&fleet, 1);
        fleet.configure("");
        deploy(&fleet);
        assert_live(&fleet, [2, 2], "completed");
    }
}

#[test]
fn wherever_the_server_refuses_all_hosts_have_one_version() {
    let dir = scratch();
    let (number, program) = (dir.path().join("number"), dir.path().join("server"));
    fs::write(&program, format!("#!/bin/sh\n{}\n", refusing(&number))).or_fail();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).or_fail();
    let forced = format!("ForceCommand {}", text(&program));
    let agent = Sshd::builder().in_home().start().or_fail();
    let sftp = Sshd::builder().config(&forced).start().or_fail();
    let fleet = Fleet::from([agent, sftp]);
    let only_sftp = |at| if at == 1 { "ssh.transport = \"sftp\"\n".into() } else { String::new() };
    fleet.configure_hosts("", only_sftp);
    version(&fleet, 1);
    deploy(&fleet);
    let (mut now, mut failures) = (1, 0);
    for refused in 1.. {
        version(&fleet, now + 1);
        fs::write(&number, refused.to_string()).or_fail();
        let ran = fleet.run("deploy production");
        let was_refused = !number.exists();
        let _ = fs::remove_file(&number);
        failures += u32::from(ran.code() != Some(0));
        let found = live(&fleet.hosts[0].assets());
        assert!(found == Some(now) || found == Some(now + 1), "{refused}: {}", ran.stderr());
        now = found.unwrap_or_default();
        assert_live(&fleet, [now, now], &format!("{refused}: {}", ran.stderr()));
        if !was_refused {
            break;
        }
    }
    assert!(failures > 0, "no refusal was one of publishing");
}

#[test]
fn a_directory_can_not_be_exchanged_over_sftp() {
    let fleet = mixed();
    version(&fleet, 1);
    let ran = fleet.run("deploy production --set assets.publish=directory");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    let said = "assets.publish is \"directory\", which needs an agent, and this host is reached by SFTP only";
    assert!(ran.stderr().contains(said), "{}", ran.stderr());
    assert!(fleet.hosts.iter().all(|host| live(&host.assets()).is_none()));
}
