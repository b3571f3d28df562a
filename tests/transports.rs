//! Promise: by every transport the destination becomes equal to the source, modes and mtimes to the
//! nanosecond included; what is there already is not sent again; a change behind the same size and
//! time is. And every form of destination leads where it says. (SFTP has tests of its own.)

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use assetsync_testbed::{Route, Sshd};

use crate::support::{Machine, OrFail, Way, assert_equal, fresh_corpus, scratch, sshd, text};

/// First push, no change, one change that size and time do not show: at the source, then at the
/// destination.
fn tells_the_whole_story(way: impl FnOnce(&Path) -> Way) {
    let (machine, dir) = (Machine::new(), scratch());
    let source = fresh_corpus("n8n-2.40.3", &dir.path().join("source"));
    let destination = dir.path().join("srv/assets");
    let way = way(&destination);

    let first = machine.push(&way, &[], &source);
    assert!(first.files_sent > 0 && first.files_sent <= first.files_total, "{first:?}");
    assert_equal(&source, &destination);

    assert_eq!(machine.push(&way, &[], &source).files_sent, 0);
    assert_equal(&source, &destination);

    change_unseen(&script_in(&source));
    assert_eq!(machine.push(&way, &[], &source).files_sent, 1);
    assert_equal(&source, &destination);

    change_unseen(&script_in(&destination));
    assert_eq!(machine.push(&way, &[], &source).files_sent, 1, "changed at the destination");
    assert_equal(&source, &destination);
}

/// A file of some length, the same in every copy of the corpus.
fn script_in(root: &Path) -> PathBuf {
    let entries = fs::read_dir(root.join("assets")).or_fail().map(|entry| entry.or_fail().path());
    let long = |path: &PathBuf| fs::metadata(path).or_fail().len() > 10_000;
    let scripts = entries.filter(|path| path.extension() == Some(OsStr::new("js")));
    scripts.filter(long).min().expect("n8n has long scripts")
}

/// Changes a byte; size and mtime stay as they are.
fn change_unseen(path: &Path) {
    let file = File::options().read(true).write(true).open(path).or_fail();
    let times = FileTimes::new().set_modified(file.metadata().or_fail().modified().or_fail());
    let mut byte = [0];
    file.read_exact_at(&mut byte, 5_000).or_fail();
    file.write_all_at(&[byte[0] ^ 1], 5_000).or_fail();
    file.set_times(times).or_fail();
}

#[test]
fn a_local_directory() {
    tells_the_whole_story(Way::local);
}

#[test]
fn ssh_in_process() {
    let sshd = sshd();
    tells_the_whole_story(|path| Way::ssh(sshd.route(), path));
}

#[test]
fn a_remote_shell_as_in_rsync() {
    let sshd = sshd();
    let shell = format!("ssh -F '{}'", text(sshd.ssh_config()));
    let destination = |path: &Path| format!("{}:{}", Route::ALIAS, text(path));
    tells_the_whole_story(|path| Way {
        options: vec!["-e".into(), shell],
        destination: destination(path),
    });
}

#[test]
fn the_ssh_program() {
    let sshd = sshd();
    tells_the_whole_story(|path| Way::ssh(sshd.route(), path).with(&["--transport", "openssh"]));
}

/// A source of a few files.
fn few_files(dir: &Path) -> PathBuf {
    let source = dir.join("source");
    fs::create_dir_all(source.join("css")).or_fail();
    fs::write(source.join("index.html"), "<script src=app.js>").or_fail();
    fs::write(source.join("app.js"), "app()").or_fail();
    fs::write(source.join("css/app.css"), "a{}").or_fail();
    source
}

#[test]
fn a_host_behind_another_is_reached_by_the_ssh_program_and_v_says_why() {
    let (machine, dir, jump, host) = (Machine::new(), scratch(), sshd(), sshd());
    let source = few_files(dir.path());
    let config = dir.path().join("ssh_config");
    fs::write(&config, behind(&jump, &host)).or_fail();
    let destination = dir.path().join("assets");
    let place = format!("{}:{}", Route::ALIAS, text(&destination));

    let ran = machine.run(["push", "-v", "-F", &text(&config), &text(&source), &place]);
    let said = ran.stderr().to_lowercase();
    assert_eq!(ran.code(), Some(0), "{said}");
    assert!(said.contains("proxyjump"), "-v does not say why: {said}");
    assert_equal(&source, &destination);
    for sshd in [jump, host] {
        assert!(sshd.log().contains("Accepted publickey"), "{}", sshd.log());
    }
}

/// An `ssh_config` in which `host` is reached through `jump`.
fn behind(jump: &Sshd, host: &Sshd) -> String {
    let of = |sshd: &Sshd| fs::read_to_string(sshd.ssh_config()).or_fail();
    let alias = format!("Host {}\n", Route::ALIAS);
    assert!(of(jump).starts_with(&alias), "{}", of(jump));
    format!("{}\n{}ProxyJump jump\n", of(jump).replacen(&alias, "Host jump\n", 1), of(host))
}

/// A host whose key nobody knows is refused, unless the user's own configuration is laxer: that is
/// kept, by the `ssh` program.
#[test]
fn unknown_host_keys_are_refused_as_far_as_the_users_configuration_does() {
    let (machine, dir, sshd) = (Machine::new(), scratch(), sshd());
    let source = few_files(dir.path());
    let strict = fs::read_to_string(sshd.ssh_config()).or_fail();
    for (rule, code) in [("yes", 1), ("ask", 1), ("no", 0), ("accept-new", 0)] {
        let destination = dir.path().join(rule);
        let nobody = text(&dir.path().join(format!("known-{rule}")));
        let config = strict.replace(&text(&sshd.known_hosts()), &nobody);
        let config =
            config.replace("StrictHostKeyChecking yes", &format!("StrictHostKeyChecking {rule}"));
        assert!(config.contains(&nobody) && config.contains(&format!("Checking {rule}")));
        let file = dir.path().join("ssh_config");
        fs::write(&file, config).or_fail();
        let place = format!("{}:{}", Route::ALIAS, text(&destination));
        let ran = machine.run(["push", "-v", "-F", &text(&file), &text(&source), &place]);
        let said = ran.stderr();
        assert_eq!(ran.code(), Some(code), "{rule}: {said}");
        let expected = if code == 0 { "stricthostkeychecking" } else { "is not known" };
        assert!(said.contains(expected), "{rule}: {said}");
        assert_eq!(destination.exists(), code == 0, "{rule}");
    }
}

#[test]
fn relative_paths_and_tildes_start_at_home() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = few_files(dir.path());
    let sshd = Sshd::builder().in_home().start().or_fail();
    let options = vec!["-F".into(), text(sshd.ssh_config())];
    let host = Route::ALIAS;
    for (destination, place) in [
        (format!("{host}:relative"), "relative"),
        (format!("{host}:deep/er/"), "deep/er"),
        (format!("{host}:~/tilde"), "tilde"),
        (format!("ssh://{host}/~/url"), "url"),
        (format!("ssh://{host}{}/absolute", text(&sshd.home())), "absolute"),
    ] {
        let way = Way { options: options.clone(), destination };
        machine.push(&way, &[], &source);
        assert_equal(&source, &sshd.home().join(place));
    }
}

/// Nothing but the contents of the source are in the destination, wherever the slashes are.
#[test]
fn trailing_slashes_do_not_matter() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = few_files(dir.path());
    for (number, (from, to)) in [("", ""), ("/", ""), ("", "/"), ("/", "/")].iter().enumerate() {
        let destination = dir.path().join(format!("srv/{number}"));
        let way = Way { options: Vec::new(), destination: text(&destination) + to };
        machine.push(&way, &[], Path::new(&(text(&source) + from)));
        assert_equal(&source, &destination);
    }
}

#[test]
fn a_destination_that_is_a_link_to_a_directory_is_followed_and_stays_one() {
    let (machine, dir, sshd) = (Machine::new(), scratch(), sshd());
    let source = few_files(dir.path());
    let (link, place) = (dir.path().join("current"), dir.path().join("releases/1"));
    fs::create_dir_all(&place).or_fail();
    symlink("releases/1", &link).or_fail();
    for way in [Way::local(&link), Way::ssh(sshd.route(), &link)] {
        fs::write(source.join("app.js"), format!("app({})", way.destination)).or_fail();
        assert_eq!(machine.push(&way, &["--delete"], &source).files_deleted, 0);
        assert_equal(&source, &place);
        assert!(fs::symlink_metadata(&link).or_fail().is_symlink());
    }
}

/// A stand-in for `docker`: `docker exec -i CONTAINER WORDS...` runs the words without a shell.
fn container(dir: &Path, name: &str, line: &str) -> PathBuf {
    let path = dir.join(name);
    let cache = text(&dir.join("cache"));
    fs::write(&path, format!("#!/bin/sh\nexport XDG_CACHE_HOME='{cache}'\n{line}\n")).or_fail();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).or_fail();
    path
}

#[test]
fn a_remote_shell_that_runs_words_without_a_shell() {
    for (name, line, more) in [
        ("docker", "shift 3; exec \"$@\"", " exec -i"),
        // Nothing shows that it runs no shell, until it has found no program of that name.
        ("into-container", "shift; exec \"$@\"", ""),
    ] {
        let (machine, dir) = (Machine::new(), scratch());
        let shell = container(dir.path(), name, line);
        let (source, destination) = (few_files(dir.path()), dir.path().join("assets"));
        let place = format!("web:{}", text(&destination));
        let rsh = format!("{}{more}", text(&shell));
        let ran = machine.run(["push", "-e", &rsh, &text(&source), &place]);
        assert_eq!(ran.code(), Some(0), "{name}: {}", ran.stderr());
        assert_equal(&source, &destination);
    }
}

#[test]
fn an_error_does_not_quote_the_script_that_starts_the_agent() {
    let (machine, dir) = (Machine::new(), scratch());
    let quoting = "shift; echo \"exec: '$*': no such file\" >&2; exit 1";
    let shell = text(&container(dir.path(), "quoting", quoting));
    let source = text(&few_files(dir.path()));
    let ran = machine.run(["push", "-e", &shell, &source, "web:/nowhere"]);
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr());
    assert!(ran.stderr().contains("no such file") || ran.stderr().contains("..."));
    assert!(ran.stderr().len() < 700, "{}", ran.stderr());
}

#[test]
fn a_missing_key_is_warned_of_and_left_out_as_by_ssh() {
    let (machine, dir, host) = (Machine::new(), scratch(), sshd());
    let (source, destination) = (few_files(dir.path()), dir.path().join("assets"));
    let way = Way::ssh(host.route(), &destination).with(&["-i", "/nonexistent/key"]);
    let ran = machine.try_push(&way, &[], &source);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let expected = "warning: -i /nonexistent/key does not exist; it is left out";
    assert!(ran.stderr().contains(expected), "{}", ran.stderr());
    assert_equal(&source, &destination);
}
