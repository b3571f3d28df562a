//! Which directory the agent is kept in and run from, with other users on the same machine.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_ssh::{TransportError, bootstrap};
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
        assert!(started.installed.is_some(), "{name}");
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

/// A shell of another user.
fn somebody_s(shell: &str) -> String {
    format!("setpriv --reuid {SOMEBODY} --regid {SOMEBODY} --clear-groups {shell}")
}

#[test]
fn a_user_s_own_cache_directory_below_root_s_is_taken() {
    let home = Home::new();
    give_away(home.0.path());
    let shell = somebody_s("sh");
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
    let line = bootstrap::command(NONCE, FIRST, &agents(), None);
    // What the environment has goes into no directory's name.
    let channel = home.shell("sh", &format!("unset HOME; u=odd; export u; {line}"));
    assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    assert!(!Path::new("/var/tmp/assetsync-odd").exists());
}

const CANARY: &str = "#!/bin/sh\ntouch $HOME/canary\n";

/// Somebody else may change a link on the way to the cache directory at any moment, also between
/// the script's checks and its last step.
#[test]
fn an_agent_is_run_from_where_it_was_checked() {
    let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
    let at = |path: &str| home.0.path().join(path);
    fs::create_dir_all(at("open")).unwrap();
    mode(&at("open"), 0o777);
    fs::create_dir_all(at(".cache")).unwrap();
    symlink(at(".cache"), at("open/link")).unwrap();
    let swap =
        format!("/usr/bin/cksum; ln -sfn {} {}", at("evil").display(), at("open/link").display());
    programs(bin.path(), &[("cksum", Some(&swap))]);
    assert_echoes(home.start().unwrap());
    let program = home.installed().remove(0);
    let evil = at("evil/assetsync").join(program.file_name().unwrap());
    fs::create_dir_all(evil.parent().unwrap()).unwrap();
    fs::write(&evil, CANARY).unwrap();
    mode(&evil, 0o755);
    let line = format!(
        "PATH={}; XDG_CACHE_HOME={}; export PATH XDG_CACHE_HOME; {}",
        bin.path().display(),
        at("open/link").display(),
        bootstrap::command(NONCE, FIRST, &agents(), None)
    );
    let started = bootstrap::start(home.shell("sh", &line), NONCE, &agents(), FIRST, TIMEOUT);
    assert!(!at("canary").exists());
    assert_echoes(started.unwrap());
    assert_eq!(fs::read_link(at("open/link")).unwrap(), at("evil"), "nothing was swapped");
}

#[test]
fn an_agent_that_others_can_write_is_replaced() {
    for open in [0o720, 0o702, 0o777] {
        let home = Home::new();
        assert_echoes(home.start().unwrap());
        let program = home.installed().remove(0);
        mode(&program, open);
        let old = File::open(&program).unwrap();
        let started = home.start().unwrap();
        assert!(started.installed.is_some(), "{open:o}");
        assert_echoes(started);
        let meta = fs::metadata(&program).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o700, "{open:o}");
        // Whoever has the old one open still writes into that.
        assert_ne!(meta.ino(), old.metadata().unwrap().ino(), "{open:o}");
    }
}

/// Not every ls sorts its arguments, and the script depends on their order.
#[test]
fn an_ls_that_does_not_sort_is_good_enough() {
    let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
    mode(bin.path(), 0o755);
    give_away(home.0.path());
    programs(bin.path(), &[("ls", Some("exec /usr/bin/ls -U \"$@\""))]);
    let line = bootstrap::command(NONCE, FIRST, &agents(), None);
    let line = format!("PATH={}; export PATH; {line}", bin.path().display());
    let channel = home.shell(&somebody_s("sh"), &line);
    assert_echoes(bootstrap::start(channel, NONCE, &agents(), FIRST, TIMEOUT).unwrap());
    assert_eq!(home.installed().len(), 1);
}

#[test]
fn if_ls_says_nothing_no_directory_is_taken() {
    for broken in [None, Some("exit 0"), Some("echo total 0")] {
        let (home, bin) = (Home::new(), tempfile::tempdir().unwrap());
        programs(bin.path(), &[("ls", broken)]);
        let error = home.start_among(bin.path(), &agents()).unwrap_err();
        assert!(matches!(error, TransportError::NoDirectory { .. }), "{broken:?}: {error}");
    }
}
