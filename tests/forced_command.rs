//! `command="assetsync-agent --restrict DIR"` in authorized_keys: the key pushes to one directory,
//! and does nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use assetsync_testbed::Sshd;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, assert_equal, scratch, text};

struct Host {
    machine: Machine,
    dir: TempDir,
    sshd: Sshd,
}

impl Host {
    fn new() -> Host {
        let (machine, dir) = (Machine::new(), scratch());
        for name in ["source", "site", "other"] {
            fs::create_dir_all(dir.path().join(name)).or_fail();
        }
        fs::write(dir.path().join("source/app.js"), "app").or_fail();
        // Installs the agent, as a first push without the restriction does.
        let local = Way::local(&dir.path().join("local"));
        machine.push(&local, &[], &dir.path().join("source"));
        let command =
            format!("{} --restrict {}", text(&agent(&machine)), text(&dir.path().join("site")));
        let sshd = Sshd::builder().config(&format!("ForceCommand {command}")).start().or_fail();
        Host { machine, dir, sshd }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn push(&self, to: &str, options: &[&str]) -> Ran {
        let way = Way::ssh(self.sshd.route(), self.at(to));
        self.machine.try_push(&way, options, &self.at("source"))
    }
}

fn agent(machine: &Machine) -> PathBuf {
    let cache = machine.home().join(".cache/assetsync");
    let names = fs::read_dir(cache).or_fail().map(|item| item.or_fail().path());
    let is_agent = |path: &PathBuf| text(path).contains("/agent-");
    names.into_iter().find(is_agent).expect("an installed agent")
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).or_fail().next().is_none()
}

#[test]
fn a_restricted_key_pushes_to_its_directory_and_what_is_in_it() {
    let host = Host::new();
    for (to, options) in [
        ("site", &[][..]),
        ("site", &["--delete"]),
        ("site", &["--transport", "openssh"]),
        ("site/sub", &[]),
        ("site/new/below", &[]),
    ] {
        if to != "site" {
            fs::remove_dir_all(host.at("site")).or_fail();
            fs::create_dir(host.at("site")).or_fail();
        }
        let ran = host.push(to, options);
        assert_eq!(ran.code(), Some(0), "{to} {options:?}: {}", ran.stderr());
        assert_equal(&host.at("source"), &host.at(to));
    }
}

#[test]
fn a_restricted_key_does_nothing_else() {
    let host = Host::new();
    symlink(host.at("other"), host.at("site/out")).or_fail();
    for to in ["other", "other/new", "site/../other", "site/out", "site/out/new", ".", "sites"] {
        for options in [&[][..], &["-n"]] {
            let ran = host.push(to, options);
            assert_eq!(ran.code(), Some(1), "{to}: {}", ran.stderr());
            assert!(ran.stderr().contains("may push only to"), "{to}: {}", ran.stderr());
        }
    }
    let ran = host.push("site", &["--transport", "sftp"]);
    assert_ne!(ran.code(), Some(0), "{}", ran.stderr());
    for words in [&["id"][..], &["sh", "-c", "id"], &[]] {
        let said = host.sshd.route().ssh().or_fail().args(words).output().or_fail();
        assert_eq!(said.stdout, b"", "{words:?}");
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(stderr.contains("may only push with assetsync"), "{words:?}: {stderr}");
    }
    assert!(is_empty(&host.at("other")) && !host.at("sites").exists());
}
