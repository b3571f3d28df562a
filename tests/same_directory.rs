//! One directory behind several hosts, or under several paths of one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assetsync_testbed::Sshd;
use serde_json::Value;

use crate::file_systems::situations::Mount;
use crate::fleet::{Fleet, events, rollout};
use crate::support::{OrFail, Ran, assert_equal, text};

/// Makes the application of the second host the directory of the first.
fn share(fleet: &Fleet, one: usize, other: usize) {
    let [one, other] = [one, other].map(|at| fleet.hosts[at].deploy_to());
    fs::create_dir_all(one.join("shared/public")).or_fail();
    let _ = fs::remove_dir_all(other.join("shared"));
    symlink(one.join("shared"), other.join("shared")).or_fail();
}

fn build(fleet: &Fleet, version: u32) {
    let (app, page) =
        (format!("app-{version:08x}.js"), format!("<script src=app-{version:08x}.js>"));
    fleet.build(&[
        (&app, &format!("version {version}")),
        ("index.html", &page),
        ("same.css", "{}"),
    ]);
}

/// Pushes the build to these destinations, of the hosts with these positions.
fn push(fleet: &Fleet, options: &str, destinations: &[(usize, &Path)]) -> Ran {
    let destinations: Vec<_> = destinations
        .iter()
        .map(|(host, path)| format!("{}:{}", fleet.hosts[*host].name, text(path)))
        .collect();
    let config = text(&fleet.ssh_config_path());
    let words = format!("push {options} -F {config} public/assets {}", destinations.join(" "));
    fleet.run(&words)
}

/// The destinations that say they are the same as another one.
fn followers(done: &[Value]) -> Vec<(&str, &str)> {
    done.iter()
        .filter_map(|done| Some((done["destination"].as_str()?, done["same_as"].as_str()?)))
        .collect()
}

fn sent(done: &[Value]) -> u64 {
    done.iter().map(|done| done["files_sent"].as_u64().unwrap_or_default()).sum()
}

/// All went well, and one destination followed the other.
#[track_caller]
fn assert_one_followed(ran: &Ran, files_sent: u64) {
    assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    let done = ran.done_events();
    assert!(done.iter().all(|done| done["ok"] == true), "{done:?}");
    assert_eq!(followers(&done).len(), 1, "{done:?}");
    assert_eq!(sent(&done), files_sent, "{done:?}");
    assert_eq!(ran.stderr(), "");
}

#[test]
fn a_push_to_two_hosts_with_one_directory_publishes_once() {
    let fleet = Fleet::of(2);
    share(&fleet, 0, 1);
    let to = [(0, &*fleet.hosts[0].assets()), (1, &*fleet.hosts[1].assets())];
    for (version, transport) in (1..).zip(["ssh2", "openssh", "ssh2", "openssh"]) {
        build(&fleet, version);
        let ran = push(&fleet, &format!("--json --delete --transport {transport}"), &to);
        let files = if version == 1 { 3 } else { 2 };
        assert_one_followed(&ran, files);
        fleet.assert_serves(&fleet.built());
    }
    let ran = push(&fleet, "--delete", &to);
    let line = "same directory as";
    assert_eq!(ran.stdout().matches(line).count(), 1, "{}", ran.stdout());
    assert!(ran.stdout().contains("; published once\n"), "{}", ran.stdout());
}

#[test]
fn two_paths_of_one_host_to_one_directory_are_published_once() {
    let fleet = Fleet::of(1);
    let real = fleet.hosts[0].assets();
    fs::create_dir_all(&real).or_fail();
    let (link, mount) = (real.with_file_name("link"), real.with_file_name("mount"));
    symlink(&real, &link).or_fail();
    fs::create_dir(&mount).or_fail();
    let _mounted = Mount::bind(&real, &mount);
    for (version, other) in (1..).zip([&link, &mount, &link, &mount]) {
        build(&fleet, version);
        let ran = push(&fleet, "--json --delete", &[(0, &real), (0, other)]);
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        let done = ran.done_events();
        let files = if version == 1 { 3 } else { 2 };
        assert_eq!(sent(&done), files, "{}", ran.stdout());
        assert_equal(&fleet.built(), &real);
    }
}

/// The names in a directory without others.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).or_fail().map(|entry| entry.or_fail().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn pushes_over_sftp_to_two_hosts_with_one_directory_do_not_hinder_each_other() {
    let only_sftp = || Sshd::builder().config("ForceCommand internal-sftp").in_home().start();
    let fleet = Fleet::from([only_sftp().or_fail(), only_sftp().or_fail()]);
    share(&fleet, 0, 1);
    let to = [(0, &*fleet.hosts[0].assets()), (1, &*fleet.hosts[1].assets())];
    for version in 1..=3 {
        build(&fleet, version);
        let ran = push(&fleet, "--json --delete --transport sftp", &to);
        assert_eq!(ran.code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
        // Times are whole seconds over SFTP.
        for host in &fleet.hosts {
            for name in names(&fleet.built()) {
                let read = |dir: &Path| fs::read(dir.join(&name)).or_fail();
                assert_eq!(read(&fleet.built()), read(&host.assets()), "{name}");
            }
            assert_eq!(names(&fleet.built()), names(&host.assets()));
        }
        let work = fleet.hosts[0].assets().with_file_name(".assetsync-assets");
        let left: Vec<PathBuf> =
            fs::read_dir(work).or_fail().map(|entry| entry.or_fail().path()).collect();
        assert!(left.iter().all(|path| !text(path).contains("sftp-")), "{left:?}");
    }
}

const HOOKS: &str = "build.command = \"true\"\nbuild.cleanup = false\n\
    hooks.after_publish = [{ run = \"echo ran >> hook\", roles = [\"web\"] }]\n";

fn hook_runs(fleet: &Fleet, host: usize) -> usize {
    let path = fleet.hosts[host].deploy_to().join("current/hook");
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn a_deploy_to_hosts_of_which_two_share_a_directory_publishes_there_once() {
    let fleet = Fleet::of(3);
    fleet.configure(HOOKS);
    // Shared only from the second deploy on.
    for version in 1..=3 {
        if version == 2 {
            share(&fleet, 0, 2);
        }
        build(&fleet, version);
        let lines = fleet.json("deploy production");
        let done: Vec<Value> = lines.into_iter().filter(|line| line["event"] == "done").collect();
        assert!(done.iter().all(|done| done["ok"] == true && done["stands"] == "live"), "{done:?}");
        let shared = followers(&done);
        assert_eq!(shared.len(), usize::from(version > 1), "{done:?}");
        assert!(shared.iter().all(|(one, other)| *one != "web2" && *other != "web2"), "{shared:?}");
        for host in 0..3 {
            assert_eq!(hook_runs(&fleet, host), version as usize, "hooks of host {host}");
        }
        fleet.assert_serves_version(version);
    }
    let statuses = fleet.json("status production");
    let live: Vec<_> = statuses.iter().filter_map(|line| line["live"]["deploy"].as_str()).collect();
    assert_eq!(live, [live[0]; 3], "{statuses:?}");
    fleet.json("rollback production");
    fleet.assert_serves_version(2);
    fleet.json("rollback production");
    fleet.assert_serves_version(1);
    fleet.json("prune production");
    let ran = fleet.run("deploy production");
    assert_eq!(ran.stderr().matches(": same directory as web").count(), 1, "{}", ran.stderr());
    assert!(ran.stderr().contains("; published once\n"), "{}", ran.stderr());
    fleet.assert_serves_version(3);
}

impl Fleet {
    /// Every host's page names the script of this version, which is there.
    #[track_caller]
    fn assert_serves_version(&self, version: u32) {
        let script = format!("app-{version:08x}.js");
        for host in &self.hosts {
            let page = fs::read_to_string(host.assets().join("index.html")).or_fail();
            assert!(page.contains(&script), "{}: {page}", host.name);
            assert!(host.assets().join(&script).exists(), "{}", host.name);
        }
    }
}

#[test]
fn directories_with_a_copied_work_directory_are_two() {
    let fleet = Fleet::of(2);
    fleet.configure(HOOKS);
    build(&fleet, 1);
    let [one, two] = [0, 1].map(|at| fleet.hosts[at].deploy_to().join("shared"));
    fleet.json("deploy production --hosts web1");
    let copied = std::process::Command::new("cp").arg("-a").args([&one, &two]).status().or_fail();
    assert!(copied.success());
    build(&fleet, 2);
    let ran = fleet.run("deploy production --json");
    let lines = events(&ran);
    assert_eq!(rollout(&lines)["exit"], 0, "{}", ran.stderr());
    assert_eq!(followers(&lines), []);
    fleet.assert_serves_version(2);
}

#[test]
fn if_the_host_that_publishes_for_both_fails_both_are_reported() {
    let fleet = Fleet::of(3);
    fleet.configure(HOOKS);
    share(&fleet, 0, 2);
    build(&fleet, 1);
    fleet.json("deploy production");
    // A file that is a mount point can't be replaced.
    let page = fleet.hosts[0].assets().join("index.html");
    let _mounted = Mount::bind(&page, &page);
    build(&fleet, 2);
    let ran = fleet.run("deploy production --json");
    let lines = events(&ran);
    let failed: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "done" && line["error"].is_string())
        .map(|line| line["destination"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(failed, ["web1", "web3"], "{}{}", ran.stdout(), ran.stderr());
    for host in &fleet.hosts {
        let page = fs::read_to_string(host.assets().join("index.html")).or_fail();
        assert!(page.contains("app-00000001.js"), "{}: {page}", host.name);
    }
    let ran =
        push(&fleet, "--json", &[(0, &fleet.hosts[0].assets()), (2, &fleet.hosts[2].assets())]);
    let done = ran.done_events();
    assert!(done.len() == 2 && done.iter().all(|done| done["ok"] == false), "{done:?}");
}
