//! Rollouts whose agent is killed, or whose calls fail: a host has one whole version or the other,
//! and the same command completes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fleet::{Fleet, events};
use crate::interruptions::faults::{Dir, need};
use crate::interruptions::{Point, points, traced_agent};
use crate::support::{OrFail, Ran, local_shell, text};

/// The agent's calls that change something in the destination or the work directory.
const MUTATING: &str = "renameat,renameat2,mkdirat,unlinkat,linkat,fsync,syncfs";

/// A host with three deploys, which is reached by a local shell.
pub(crate) struct Site {
    fleet: Fleet,
    dir: Dir,
    /// The remote shell whose agent is traced.
    pub(crate) traced: PathBuf,
    plain: PathBuf,
    settings: &'static str,
}

impl Site {
    fn new(settings: &'static str) -> Site {
        Site::on(settings, |_, _| ())
    }

    /// The same, where `prepare` makes a directory for the images of disks and one for the
    /// application ready.
    pub(crate) fn on(settings: &'static str, prepare: impl FnOnce(&Path, &Path)) -> Site {
        need("strace", "strace");
        let (fleet, dir) = (Fleet::of(1), Dir::new());
        let deploy_to = fleet.hosts[0].deploy_to();
        prepare(dir.path(), &deploy_to);
        fs::create_dir_all(deploy_to.join("current")).or_fail();
        let (traced, plain) = (traced_agent(&dir), local_shell(dir.path()));
        let site = Site { fleet, dir, traced, plain, settings };
        for version in 1..=3 {
            site.build(version);
            let deployed = site.run(&site.plain.clone(), "deploy production", "");
            assert_eq!(deployed.code(), Some(0), "{}", deployed.stderr());
        }
        site.copy(&site.fleet.hosts[0].deploy_to(), &site.saved());
        site
    }

    fn build(&self, version: u32) {
        let script = script_of(version);
        let page = format!("<script src={script}>");
        let manifest = format!("{{\"app.js\": \"{script}\"}}");
        let content = format!("version {version}");
        let files: [(&str, &str); 4] = [
            (&script, &content),
            ("index.html", &page),
            ("manifest.json", &manifest),
            ("same.css", "{}"),
        ];
        self.fleet.build(&files);
    }

    fn saved(&self) -> PathBuf {
        self.dir.path().join("saved")
    }

    fn copy(&self, from: &Path, to: &Path) {
        // A mount point stays.
        let _ = fs::remove_dir_all(to);
        let copied = Command::new("cp").arg("-aT").args([from, to]).status().or_fail();
        assert!(copied.success());
    }

    fn reset(&self) {
        self.copy(&self.saved(), &self.fleet.hosts[0].deploy_to());
    }

    /// Runs a command by this remote shell.
    pub(crate) fn run(&self, shell: &Path, words: &str, fault: &str) -> Ran {
        let (shell, settings) = (text(shell), self.settings);
        self.fleet.configure(&format!(
            "ssh.rsh = \"/bin/sh {shell}\"\nbuild.command = \"true\"\nbuild.cleanup = false\n{settings}"
        ));
        let mut command = self.fleet.command(words);
        command.env("XDG_CACHE_HOME", self.dir.path().join("cache")).env("FAULT", fault);
        command.env("FAULT_LOG", self.dir.path().join("strace.log"));
        Ran(command.output().or_fail())
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("strace.log")
    }

    /// Fails unless this version is live, with all of it.
    #[track_caller]
    fn assert_serves(&self, version: u32, when: &str) {
        let assets = self.fleet.hosts[0].assets();
        let script = script_of(version);
        let read = |name: &str| fs::read_to_string(assets.join(name)).unwrap_or_default();
        assert!(read("index.html").contains(&script), "{when}: {}", read("index.html"));
        assert!(read("manifest.json").contains(&script), "{when}: {}", read("manifest.json"));
        assert_eq!(read(&script), format!("version {version}"), "{when}");
    }

    /// Puts the host back to the third version, and builds this one.
    pub(crate) fn start(&self, to: u32) {
        self.reset();
        self.build(to);
    }

    /// The calls of these names that the agent makes during a command that nothing disturbs.
    pub(crate) fn changes(&self, command: &str, names: &str, to: u32) -> Vec<Point> {
        self.start(to);
        let clean = self.run(&self.traced, command, &format!("-e trace={names}"));
        assert_eq!(clean.code(), Some(0), "{}", clean.stderr());
        points(&self.log())
    }

    /// Checks that a command that was disturbed left whole versions, and runs it again if it has
    /// failed. Whether it had not.
    #[track_caller]
    pub(crate) fn is_completed(
        &self,
        ran: &Ran,
        command: &str,
        [from, to]: [u32; 2],
        when: &str,
    ) -> bool {
        let [page, manifest] = self.named([from, to], when);
        assert!(page == manifest || self.settings.is_empty(), "{when}: {page} and {manifest}");
        if ran.code() == Some(0) {
            assert_eq!([page, manifest], [to, to], "{when}: it was reported as done");
            return true;
        }
        let again = self.run(&self.plain, command, "");
        assert_eq!(again.code(), Some(0), "{when}: {}", again.stderr());
        self.assert_serves(to, when);
        false
    }

    /// The versions that the page and the manifest name, once the scripts of both are found.
    #[track_caller]
    fn named(&self, candidates: [u32; 2], when: &str) -> [u32; 2] {
        let assets = self.fleet.hosts[0].assets();
        ["index.html", "manifest.json"].map(|name| {
            let text = fs::read_to_string(assets.join(name)).unwrap_or_default();
            let named = candidates.into_iter().find(|version| text.contains(&script_of(*version)));
            let version = named.unwrap_or_else(|| panic!("{when}: {name} is '{text}'"));
            let script = fs::read_to_string(assets.join(script_of(version))).unwrap_or_default();
            assert_eq!(script, format!("version {version}"), "{when}: {name} names it");
            version
        })
    }
}

fn script_of(version: u32) -> String {
    format!("app-{version:08x}.js")
}

/// Kills the agent at each of its changes during a rollback, which is then run again.
fn kill_at_each(settings: &'static str) {
    let site = Site::new(settings);
    let trace = format!("-e trace={MUTATING}");
    let clean = site.run(&site.traced, "rollback production", &trace);
    assert_eq!(clean.code(), Some(0), "{}", clean.stderr());
    site.assert_serves(2, "without a fault");
    let all = points(&site.log());
    assert!(all.len() > 15, "only {} calls", all.len());
    let mut completed = 0;
    for Point { call, nth } in &all {
        site.reset();
        let when = format!("killed at {call} number {nth}");
        let fault = format!("-e trace={call} -e inject={call}:signal=SIGKILL:when={nth}");
        let killed = site.run(&site.traced, "rollback production", &fault);
        if killed.code() == Some(0) {
            // It was published, and the sender knew.
            site.assert_serves(2, &when);
            continue;
        }
        let again = site.run(&site.plain, "rollback production", "");
        assert_eq!(again.code(), Some(0), "{when}: {}", again.stderr());
        completed += usize::from(again.stderr().contains("was interrupted; completing it"));
        site.assert_serves(2, &format!("{when}: {}", again.stderr()));
    }
    assert!(completed > 5, "{completed} of {}", all.len());
}

#[test]
fn a_rollback_killed_at_any_change_restores_the_same_deploy_when_it_is_run_again() {
    kill_at_each("");
}

#[test]
fn a_rollback_of_whole_directories_killed_at_any_change_restores_the_same_deploy() {
    kill_at_each("assets.publish = \"directory\"");
}

/// What happens at a call: the agent is killed, or the call fails, or is interrupted.
const FAULTS: [&str; 4] = ["signal=SIGKILL", "error=EIO", "error=ENOSPC", "error=EINTR"];

/// Lets something happen at each change that the agent makes during `command`, each of [`FAULTS`]
/// in turn; then runs it again. It leads from a version to another.
fn fail_at_each(settings: &'static str, command: &str, from: u32, to: u32) {
    let site = Site::new(settings);
    let all = site.changes(command, MUTATING, to);
    let mut failed = 0;
    for (at, Point { call, nth }) in all.iter().enumerate() {
        site.start(to);
        let fault = FAULTS[at % FAULTS.len()];
        let inject = format!("-e trace={call} -e inject={call}:{fault}:when={nth}");
        let ran = site.run(&site.traced, command, &inject);
        let when = format!("{command}: {fault} at {call} number {nth}");
        failed += usize::from(!site.is_completed(&ran, command, [from, to], &when));
    }
    assert!(failed > 3, "{failed} of {}", all.len());
}

#[test]
fn a_deploy_whose_agent_fails_at_any_change_leaves_whole_versions_and_is_completed() {
    fail_at_each("", "deploy production", 3, 4);
}

#[test]
fn a_deploy_of_a_whole_directory_whose_agent_fails_at_any_change_leaves_one_version() {
    fail_at_each("assets.publish = \"directory\"", "deploy production", 3, 4);
}

#[test]
fn a_rollback_whose_agent_fails_at_any_change_leaves_whole_versions_and_is_completed() {
    fail_at_each("", "rollback production", 3, 2);
}

#[test]
fn a_prune_whose_agent_fails_at_any_change_leaves_what_is_live_and_is_completed() {
    fail_at_each("", "prune production --set assets.retention.keep=1", 3, 3);
}

#[test]
fn a_rollback_that_completed_goes_further_back_when_it_is_run_again() {
    let site = Site::new("");
    for version in [2, 1] {
        let ran = site.run(&site.plain, "rollback production", "");
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
        assert!(!ran.stderr().contains("interrupted"), "{}", ran.stderr());
        site.assert_serves(version, "completed");
    }
    let ran = site.run(&site.plain, "rollback production", "");
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    site.assert_serves(1, "nothing is older");
}

#[test]
fn a_rollback_that_reached_only_some_hosts_is_completed_on_the_others() {
    let fleet = Fleet::of(2);
    fleet.configure("build.command = \"true\"\nbuild.cleanup = false\n");
    for version in 1..=3 {
        fleet.build(&[("index.html", &format!("version {version}"))]);
        fleet.json("deploy production");
    }
    fleet.json("rollback production --hosts web1");
    let lines = fleet.json("rollback production");
    assert!(lines.iter().any(|line| line["event"] == "notice"), "{lines:?}");
    for host in &fleet.hosts {
        let page = fs::read_to_string(host.assets().join("index.html")).or_fail();
        assert_eq!(page, "version 2", "{}", host.name);
    }
}

#[test]
fn a_damaged_history_is_named_kept_and_never_counted_from() {
    let fleet = Fleet::of(1);
    fleet.configure("build.command = \"true\"\nbuild.cleanup = false\n");
    for version in 1..=3 {
        fleet.build(&[("index.html", &format!("version {version}"))]);
        fleet.json("deploy production");
    }
    let work = fleet.hosts[0].assets().with_file_name(".assetsync-assets");
    let path = work.join("history");
    let mut damaged = fs::read(&path).or_fail();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(&path, &damaged).or_fail();
    let refused = fleet.run("rollback production");
    assert_eq!(refused.code(), Some(1), "{}", refused.stderr());
    assert!(refused.stderr().contains(&text(&path)), "{}", refused.stderr());
    assert_eq!(fs::read(&path).or_fail(), damaged);
    let status = fleet.run("status production");
    assert!(status.stdout().contains(&text(&path)), "{}", status.stdout());
    fleet.build(&[("index.html", "version 4")]);
    let ran = fleet.run("deploy production --json");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let notices: String = events(&ran).iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(notices.contains(&text(&path)), "{notices}");
    let kept: Vec<Vec<u8>> = fs::read_dir(&work)
        .or_fail()
        .map(|entry| entry.or_fail().path())
        .filter(|path| text(path).contains("history.damaged-"))
        .map(|path| fs::read(path).or_fail())
        .collect();
    assert_eq!(kept, [damaged]);
    // Nothing of it is a history.
    fs::write(&path, "something else entirely").or_fail();
    for words in ["deploy production", "rollback production", "status production"] {
        let refused = fleet.run(words);
        let said = refused.stdout() + &refused.stderr();
        assert!(said.contains(&text(&path)), "{words}: {said}");
        assert_eq!(fs::read(&path).or_fail(), b"something else entirely");
    }
}
