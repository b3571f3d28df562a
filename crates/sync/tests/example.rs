//! Promise: the page that shows how to use the library pushes to two hosts, and deletes there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use assetsync_testbed::{Route, Sshd};

/// A `PATH` in which `ssh` goes by the configuration of `route`.
fn path_with_ssh(route: &Route, dir: &Path) -> String {
    let path = std::env::var("PATH").unwrap();
    let script =
        format!("#!/bin/sh\nPATH='{path}'\nexec ssh -F '{}' \"$@\"\n", route.config().display());
    fs::write(dir.join("ssh"), script).unwrap();
    fs::set_permissions(dir.join("ssh"), Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", dir.display())
}

#[test]
fn the_example_pushes_to_two_hosts_and_deletes_there() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start().unwrap();
    let (source, tools) = (dir.path().join("source"), dir.path().join("tools"));
    fs::create_dir(&source).unwrap();
    fs::create_dir(&tools).unwrap();
    fs::write(source.join("app.js"), "first").unwrap();
    fs::write(source.join("old.js"), "old").unwrap();
    let hosts = ["web1", "web2"].map(|host| dir.path().join(host));
    // Cargo builds examples together with tests and puts them here, seen from where it puts tests.
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples/push");
    let push = || {
        let mut example = Command::new(&program);
        example.env("HOME", dir.path()).env("XDG_CACHE_HOME", dir.path().join("cache"));
        example.env("PATH", path_with_ssh(sshd.route(), &tools)).env_remove("SSH_AUTH_SOCK");
        example.arg(&source);
        example.args(hosts.iter().map(|path| format!("{}:{}", Route::ALIAS, path.display())));
        let ran = example.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
        said
    };
    let said = push();
    for (line, host) in said.lines().zip(&hosts) {
        assert_eq!(line, format!("{}:{}: 2 files sent", Route::ALIAS, host.display()));
        assert_eq!(fs::read_to_string(host.join("app.js")).unwrap(), "first");
    }
    fs::remove_file(source.join("old.js")).unwrap();
    assert_eq!(push().lines().count(), 2);
    assert!(hosts.iter().all(|host| host.join("app.js").exists() && !host.join("old.js").exists()));
}
