//! Publishing as another user of the host, by sudo: `--sudo`, rsync's `--rsync-path`, `ssh.become`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, assert_equal, scratch};

/// The user that logs in, and the one that files belong to: both are on every Debian.
const LOGIN: u32 = 1;
const OWNER: u32 = 33;

/// A host where `daemon` logs in, and may become `www-data` if the rules of sudo say so.
struct Host {
    machine: Machine,
    dir: TempDir,
    rules: PathBuf,
}

impl Host {
    fn new(rule: &str) -> Host {
        let (machine, dir) = (Machine::new(), scratch());
        let name =
            dir.path().file_name().expect("it has a name").to_string_lossy().replace('.', "-");
        let rules = Path::new("/etc/sudoers.d").join(name);
        fs::write(&rules, format!("{rule}\n")).or_fail();
        fs::set_permissions(&rules, fs::Permissions::from_mode(0o440)).or_fail();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).or_fail();
        let host = Host { machine, dir, rules };
        fs::create_dir_all(host.at("www")).or_fail();
        chown(host.at("www"), Some(OWNER), Some(OWNER)).or_fail();
        fs::create_dir_all(host.at("source/css")).or_fail();
        fs::write(host.at("source/index.html"), "<link href=css/app.css>").or_fail();
        fs::write(host.at("source/css/app.css"), "a{}").or_fail();
        host
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn push(&self, options: &[&str]) -> Ran {
        let shell = self.at("shell");
        let who = format!("setpriv --reuid={LOGIN} --regid={LOGIN} --clear-groups");
        let lines =
            format!("#!/bin/sh\nshift\ncd /\nexec {who} env HOME=/nonexistent /bin/sh -c \"$1\"\n");
        fs::write(&shell, lines).or_fail();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).or_fail();
        self.machine.try_push(
            &Way::shell(&shell, &self.at("www/assets")),
            options,
            &self.at("source"),
        )
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.rules);
    }
}

const ALLOWED: &str = "daemon ALL=(www-data) NOPASSWD: ALL";

#[test]
fn files_are_published_as_another_user() {
    for option in ["--sudo=www-data", "--rsync-path=sudo -u www-data rsync"] {
        let host = Host::new(ALLOWED);
        for push in 0..2 {
            let ran = host.push(&[option, "--delete"]);
            assert_eq!(ran.code(), Some(0), "{option}, push {push}: {}", ran.stderr());
        }
        assert_equal(&host.at("source"), &host.at("www/assets"));
        for path in ["www/assets", "www/assets/css/app.css"] {
            assert_eq!(fs::metadata(host.at(path)).or_fail().uid(), OWNER, "{path}");
        }
    }
}

#[test]
fn a_user_that_may_not_become_the_other_one_is_told_so() {
    for (rule, user) in [
        ("daemon ALL=(www-data) ALL", "www-data"),
        ("# nothing", "www-data"),
        (ALLOWED, "root"),
        (ALLOWED, "no-such-user"),
    ] {
        let host = Host::new(rule);
        let ran = host.push(&[&format!("--sudo={user}")]);
        assert_eq!(ran.code(), Some(1), "{rule}: {}", ran.stderr());
        let said = ran.stderr();
        assert!(said.contains(&format!("Can't run as {user}")), "{rule}: {said}");
        assert!(said.contains("sudo: ") && said.contains("NOPASSWD"), "{rule}: {said}");
        assert!(!host.at("www/assets").exists());
    }
}

#[test]
fn what_can_not_be_asked_of_sudo_is_bad_usage() {
    let host = Host::new(ALLOWED);
    for (options, expected) in [
        (&["--sudo=-x"][..], "user name"),
        (&["--sudo=a b"], "user name"),
        (&["--rsync-path=nice rsync"], "--sudo=USER"),
        (&["--sudo=www-data", "--rsync-path=sudo rsync"], "cannot be used with"),
    ] {
        let ran = host.push(options);
        assert_eq!(ran.code(), Some(2), "{options:?}: {}", ran.stderr());
        assert!(ran.stderr().contains(expected), "{options:?}: {}", ran.stderr());
    }
    let ran = host.push(&["--sudo=www-data", "--transport", "sftp"]);
    assert_ne!(ran.code(), Some(0));
    assert!(ran.stderr().contains("SFTP"), "{}", ran.stderr());
}
