//! Links and directories that another user of the host puts in place of ours, before a push of root
//! or in the middle of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::interruptions::faults::{Dir, Outcome, Push, need, until};
use crate::interruptions::traced_agent;

/// The attacker's user id, and that of somebody else.
const ATTACKER: u32 = 65534;
const VICTIM: u32 = 65533;

/// A host directory of the attacker's, in which root has a destination, and a directory of the
/// victim's.
struct Host {
    dir: Dir,
    agent: PathBuf,
}

impl Host {
    fn new() -> Host {
        let dir = Dir::new();
        let agent = traced_agent(&dir);
        for name in ["host/site", "victim/tree/deep", "victim/stage/deep", "src"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        for name in ["victim/file", "victim/tree/deep/file", "victim/stage/deep/file"] {
            fs::write(dir.join(name), "the victim's").unwrap();
        }
        for dir in [dir.join("host"), dir.join("host/site")] {
            own(&dir, ATTACKER);
        }
        own(&dir.join("victim"), VICTIM);
        fs::write(dir.join("src/app.js"), "app").unwrap();
        let host = Host { dir, agent };
        host.push(&host.at("host/site"), "-e trace=none").assert_ok();
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn start(&self, destination: &Path, fault: &str) -> Push {
        let destination = format!("somewhere:{}", destination.display());
        let shell = format!("/bin/sh {}", self.agent.display());
        let push = Push::new(&self.at("src"), destination).with(["-e", &shell]);
        push.env("FAULT", fault).env("FAULT_LOG", self.at("strace.log"))
    }

    fn push(&self, destination: &Path, fault: &str) -> Outcome {
        // Installs the agent, where that is still to be done.
        Push::new(&self.at("src"), self.at("warm")).run().assert_ok();
        self.start(destination, fault).run()
    }

    #[track_caller]
    fn check_victim(&self) {
        for name in ["victim/file", "victim/tree/deep/file", "victim/stage/deep/file"] {
            let text = fs::read_to_string(self.at(name));
            assert_eq!(text.ok().as_deref(), Some("the victim's"), "{name}");
        }
        let count = fs::read_dir(self.at("victim")).unwrap().count();
        assert_eq!(count, 3, "something was put into the victim's directory");
    }
}

fn own(path: &Path, user: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    chown(path, Some(user), Some(user)).unwrap();
}

fn link(from: &Path, to: &Path, owner: u32) {
    symlink(to, from).unwrap();
    lchown(from, Some(owner), Some(owner)).unwrap();
}

/// Waits until the agent stands still, and gives its process id.
fn stopped(log: &Path) -> String {
    until("the agent's stop", || {
        let log = fs::read_to_string(log).ok()?;
        let line = log.lines().find(|line| line.contains("stopped by SIGSTOP"))?;
        line.split_whitespace().next().map(str::to_owned)
    })
}

#[test]
fn a_work_directory_that_is_replaced_by_a_link_deletes_nothing_elsewhere() {
    need("strace", "strace");
    let host = Host::new();
    let work = host.at("host/.assetsync-site");
    // What interrupted pushes leave, so that there is something to remove.
    for name in ["tree/deep", "stage/deep"] {
        fs::create_dir_all(work.join(name)).unwrap();
    }
    fs::write(host.at("src/app.js"), "app 2").unwrap();
    let _ = fs::remove_file(host.at("strace.log"));
    let fault = "-e trace=flock -e inject=flock:signal=SIGSTOP:when=1";
    let push = host.start(&host.at("host/site"), fault).start();
    let agent = stopped(&host.at("strace.log"));
    fs::rename(&work, host.at("host/moved")).unwrap();
    link(&work, &host.at("victim"), ATTACKER);
    let sent = Command::new("kill").args(["-CONT", &agent]).status().unwrap();
    assert!(sent.success());
    push.wait().assert_no_panic();
    host.check_victim();
    assert!(!host.at("host/moved/tree").exists() && !host.at("host/moved/stage/deep").exists());
}

#[test]
fn a_link_of_a_user_who_may_not_write_where_it_leads_is_refused() {
    let host = Host::new();
    link(&host.at("host/planted"), &host.at("victim"), ATTACKER);
    for destination in ["host/planted", "host/planted/tree", "host/planted/new"] {
        for options in [&[][..], &["-n"]] {
            let push = Push::new(&host.at("src"), host.at(destination)).with(options);
            let outcome = push.run();
            let words = ["is a symlink of user 65534", "give the path of"];
            outcome.assert_failed(&words);
            host.check_victim();
        }
    }
}

#[test]
fn links_of_who_may_write_where_they_lead_are_followed() {
    let host = Host::new();
    own(&host.at("victim"), ATTACKER);
    fs::create_dir(host.at("shared")).unwrap();
    own(&host.at("shared"), VICTIM);
    fs::set_permissions(host.at("shared"), fs::Permissions::from_mode(0o2775)).unwrap();
    chown(host.at("shared"), None, Some(ATTACKER)).unwrap();
    for (name, leads_to, owner) in [
        ("by-root", "shared", 0),
        ("by-owner", "victim", ATTACKER),
        ("by-owner-too", "victim/file-dir", ATTACKER),
        ("by-group", "shared", ATTACKER),
    ] {
        fs::create_dir_all(host.at(leads_to)).unwrap();
        if leads_to.contains('/') {
            own(&host.at(leads_to), ATTACKER);
        }
        link(&host.at("host").join(name), &host.at(leads_to), owner);
        let outcome = Push::new(&host.at("src"), host.at("host").join(name)).run();
        outcome.assert_ok();
        assert_eq!(fs::read(host.at(leads_to).join("app.js")).unwrap(), b"app", "{name}");
    }
}
