//! Which directory the agent is kept in and run from, with other users on the same machine.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_transport::bootstrap;
use common::bootstrap::*;

type Case = (&'static str, fn(&Path));

#[test]
fn damaged_agents_are_replaced_and_never_run() {
    let canary = "#!/bin/sh\ntouch $HOME/canary\n";
    let tamper: [Case; 7] = [
        ("altered", |path| fs::write(path, "#!/bin/sh\ntouch $HOME/canary\n").unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("truncated", |path| File::options().write(true).open(path).unwrap().set_len(9).unwrap()),
        ("missing", |path| fs::remove_file(path).unwrap()),
        ("link", |path| {
            fs::rename(path, path.with_file_name("elsewhere")).unwrap();
            symlink(path.with_file_name("elsewhere"), path).unwrap();
        }),
        ("fifo", |path| {
            fs::remove_file(path).unwrap();
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("foreign", |path| std::os::unix::fs::chown(path, Some(1234), None).unwrap()),
    ];
    for (name, tamper) in tamper {
        let home = Home::new();
        fs::write(home.0.path().join("unused"), canary).unwrap();
        assert_echoes(home.start().unwrap());
        tamper(&home.installed()[0]);
        let started = home.start().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(started.installed, "{name}");
        assert_echoes(started);
        assert!(!home.0.path().join("canary").exists(), "{name}");
    }
}

#[test]
fn an_unsafe_cache_directory_is_passed_over() {
    let spoil: [Case; 5] = [
        ("group may write", |cache| mode(cache, 0o770)),
        ("parent open to all", |cache| mode(cache.parent().unwrap(), 0o777)),
        ("foreign", |cache| give_away(cache)),
        ("foreign parent", |cache| give_away(cache.parent().unwrap())),
        ("link", |cache| {
            fs::rename(cache, cache.with_file_name("elsewhere")).unwrap();
            symlink(cache.with_file_name("elsewhere"), cache).unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        let home = Home::new();
        fs::create_dir_all(home.cache()).unwrap();
        mode(&home.cache(), 0o700);
        mode(home.cache().parent().unwrap(), 0o700);
        spoil(&home.cache());
        assert_echoes(home.start().unwrap_or_else(|e| panic!("{name}: {e}")));
        assert_eq!(home.installed(), Vec::<PathBuf>::new(), "{name}");
    }
}

#[test]
fn a_user_s_own_cache_directory_below_root_s_is_taken() {
    let home = Home::new();
    give_away(home.0.path());
    let shell = format!("setpriv --reuid {SOMEBODY} --regid {SOMEBODY} --clear-groups sh");
    assert_echoes(home.start_with(&shell, &agents()).unwrap());
    assert_eq!(home.installed().len(), 1);
    give_away(&home.cache().join(".."));
    mode(&home.cache().join(".."), 0o770);
    assert_echoes(home.start_with(&shell, &agents_of(&format!("{STAND_IN}# 2\n"))).unwrap());
    assert_eq!(home.installed().len(), 1);
}

#[test]
fn no_home_still_finds_a_directory() {
    let home = Home::new();
    let line = bootstrap::command(NONCE, &agents());
    // What the environment has goes into no directory's name.
    let channel = home.shell("sh", &format!("unset HOME; u=odd; export u; {line}"));
    assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    assert!(!Path::new("/var/tmp/assetsync-odd").exists());
}
