//! Pushes of single files: they go where `rsync` puts them, and nothing else is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use assetsync_core::digest::Digest;
use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};
use assetsync_testbed::{Route, Sshd};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, scratch, sshd, text};

/// Sources in `here`, and a destination as people have it in `there`.
fn world() -> TempDir {
    let world = scratch();
    let at = |name: &str| world.path().join(name);
    for dir in ["here", "here/sub", "there", "there/dir", "there/dir/sub"] {
        fs::create_dir(at(dir)).or_fail();
    }
    for name in ["a.rb", "b.rb", "sub/c.rb", "a b\n'$x.rb", "-dash.rb", "c:d.rb"] {
        fs::write(at("here").join(name), format!("new {name}")).or_fail();
    }
    // Of other sizes, as rsync compares those.
    for name in ["file", "dir/a.rb", "dir/other", "dir/sub/deep"] {
        fs::write(at("there").join(name), format!("{name}, as it was")).or_fail();
    }
    fs::set_permissions(at("here/b.rb"), fs::Permissions::from_mode(0o755)).or_fail();
    for (link, target) in [("to-dir", "dir"), ("to-file", "file"), ("to-nothing", "gone")] {
        symlink(target, at("there").join(link)).or_fail();
    }
    symlink("a.rb", at("here/link")).or_fail();
    set_times(world.path());
    world
}

/// Whole seconds, as SFTP carries them.
fn set_times(dir: &Path) {
    let touch = "find . -exec touch -h -d @1700000000 {} +";
    assert!(Command::new("sh").args(["-c", touch]).current_dir(dir).status().or_fail().success());
}

/// Runs the command in a world's `here`.
fn run(machine: &Machine, world: &TempDir, args: &[&str]) -> Ran {
    let mut command = machine.command(args);
    Ran(command.current_dir(world.path().join("here")).output().or_fail())
}

/// rsync with the same arguments; parents are made, as by the command.
fn rsync(world: &TempDir, args: &[&str]) {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 022 && exec rsync -a --mkpath \"$@\"", "rsync"]).args(args);
    let done = command.current_dir(world.path().join("here")).output().or_fail();
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[track_caller]
fn assert_same(ours: &TempDir, theirs: &TempDir, what: &str) {
    let there = |world: &TempDir| snapshot(&world.path().join("there")).or_fail();
    let differences = diff_trees(&there(ours), &there(theirs), &DiffOptions::default());
    assert_eq!(differences, Vec::<String>::new(), "{what}");
}

/// Options, sources, and DEST below `there`.
const CASES: [(&[&str], &str); 21] = [
    (&["a.rb"], "dir"),
    (&["a.rb"], "dir/"),
    (&["a.rb"], "dir/."),
    (&["a.rb"], ""),
    (&["a.rb"], "new"),
    (&["a.rb"], "dir/new.rb"),
    (&["a.rb"], "file"),
    (&["a.rb"], "to-dir"),
    (&["a.rb"], "to-dir/"),
    (&["a.rb"], "to-file"),
    (&["a.rb"], "to-nothing"),
    (&["a.rb"], "fresh/"),
    (&["a.rb"], "deep/er/new.rb"),
    (&["sub/c.rb"], "dir"),
    (&["b.rb", "a.rb", "sub/c.rb"], "dir"),
    (&["b.rb", "a.rb"], "fresh"),
    (&["a b\n'$x.rb", "./-dash.rb", "./c:d.rb"], "dir"),
    (&["a.rb"], "an odd\n'$name"),
    (&["link"], "dir"),
    (&["-L", "link"], "dir"),
    (&["--chmod=F600", "a.rb", "b.rb", "--exclude=b.*"], "dir/"),
];

fn pushed_as_by_rsync(options: &[&str], host: &str) {
    for (given, destination) in CASES {
        let (machine, ours, theirs) = (Machine::new(), world(), world());
        let dest = |world: &TempDir, host: &str| {
            format!("{host}{}/{destination}", text(&world.path().join("there")))
        };
        rsync(&theirs, &[given, &[&dest(&theirs, "")]].concat());
        let (what, to) = (format!("{given:?} to {destination:?}"), dest(&ours, host));
        let args = [&["push"], options, given, &[&to]].concat();
        for _ in 0..2 {
            let ran = run(&machine, &ours, &args);
            assert_eq!(ran.code(), Some(0), "{what}: {}", ran.stderr());
            assert_same(&ours, &theirs, &what);
            // Nothing is left beside what was pushed.
            let left = fs::read_dir(ours.path()).or_fail().count();
            assert_eq!(left, 2, "{what}");
        }
    }
}

fn config(sshd: &Sshd) -> String {
    text(sshd.route().config())
}

#[test]
fn files_go_where_rsync_puts_them() {
    pushed_as_by_rsync(&[], "");
}

#[test]
fn files_go_where_rsync_puts_them_on_a_host() {
    let sshd = sshd();
    pushed_as_by_rsync(&["-F", &config(&sshd)], &format!("{}:", Route::ALIAS));
}

#[test]
fn files_go_where_rsync_puts_them_over_sftp() {
    let sshd = sshd();
    let options = ["--transport", "sftp", "-F", &config(&sshd)];
    pushed_as_by_rsync(&options, &format!("{}:", Route::ALIAS));
}

#[test]
fn a_file_goes_to_several_hosts_and_under_several_names() {
    let (machine, world, sshd) = (Machine::new(), world(), sshd());
    let there = world.path().join("there");
    let host = |name: &str| format!("{}:{}", Route::ALIAS, text(&there.join(name)));
    let (dir, name) = (host("dir"), host("sub/new.rb"));
    let ran = run(&machine, &world, &["push", "-F", &config(&sshd), "a.rb", "b.rb", &dir, &name]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    for path in ["dir/b.rb", "sub/new.rb/b.rb"] {
        assert_eq!(fs::read_to_string(there.join(path)).or_fail(), "new b.rb");
    }
}

#[test]
fn without_a_path_a_file_goes_to_the_home_directory() {
    let (machine, world) = (Machine::new(), world());
    let (shell, dir) = (world.path().join("there/shell"), world.path().join("there/dir"));
    let login = format!("#!/bin/sh\nshift\ncd '{}' && exec /bin/sh -c \"$1\"\n", text(&dir));
    fs::write(&shell, login).or_fail();
    fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).or_fail();
    let ran = run(&machine, &world, &["push", "-e", &text(&shell), "b.rb", "host:"]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert_eq!(fs::read_to_string(dir.join("b.rb")).or_fail(), "new b.rb");
    // A directory is not pushed there by a path that was forgotten.
    let ran = run(&machine, &world, &["push", "-e", &text(&shell), "sub", "host:"]);
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
}

/// The events of a push with `--json`.
fn events(ran: &Ran) -> Vec<Value> {
    ran.stdout().lines().map(|line| serde_json::from_str(line).or_fail()).collect()
}

#[test]
fn only_the_named_files_are_looked_at() {
    let (machine, world) = (Machine::new(), world());
    let dest = text(&world.path().join("there/dir"));
    for number in 0..300 {
        fs::write(format!("{dest}/{number}"), "").or_fail();
    }
    let ran = run(&machine, &world, &["push", "--json", "a.rb", "b.rb", &dest]);
    let surveyed = events(&ran).into_iter().find(|event| event["event"] == "surveyed");
    assert_eq!(surveyed.or_fail_with("surveyed")["paths"], 1);
    assert!(ran.done().bytes_received < 300);
}

/// A value that must be there.
trait OrFailWith<T> {
    fn or_fail_with(self, what: &str) -> T;
}

impl<T> OrFailWith<T> for Option<T> {
    fn or_fail_with(self, what: &str) -> T {
        self.unwrap_or_else(|| panic!("no {what}"))
    }
}

#[test]
fn pushes_of_the_directory_find_everything_as_they_left_it() {
    let (machine, world) = (Machine::new(), world());
    let dest = text(&world.path().join("there/dir"));
    let tree = scratch();
    for name in ["a.rb", "z.rb"] {
        fs::write(tree.path().join(name), format!("tree {name}")).or_fail();
    }
    let push = ["push", "--json", "--delete", "--max-delete", "9", &text(tree.path()), &dest];
    run(&machine, &world, &push).done();
    let work = world.path().join("there/.assetsync-dir");
    let index = fs::read(work.join("index")).or_fail();
    // What an interrupted push of the directory left.
    let content = "left by an interrupted push";
    let name = format!("{}.00000001.0", Digest::of(content.as_bytes()));
    fs::write(work.join("stage").join(&name), content).or_fail();
    for _ in 0..2 {
        run(&machine, &world, &["push", "--json", "a.rb", "b.rb", &dest]).done();
    }
    assert_eq!(fs::read(work.join("index")).or_fail(), index);
    let staged: Vec<_> = fs::read_dir(work.join("stage")).or_fail().collect();
    assert_eq!(staged.len(), 1);
    assert!(work.join("stage").join(&name).exists());
    // The changed file is noticed, the unknown one is deleted, the other one stays as it is.
    let done = run(&machine, &world, &push).done();
    assert_eq!((done.files_sent, done.files_deleted), (1, 1));
    assert_eq!(fs::read_to_string(format!("{dest}/a.rb")).or_fail(), "tree a.rb");
}

#[test]
fn a_changed_file_is_sent_as_a_delta() {
    let (machine, world) = (Machine::new(), world());
    let dest = text(&world.path().join("there/dir"));
    let lines: Vec<String> = (0..20_000).map(|line| format!("line {line}\n")).collect();
    let source = world.path().join("here/large");
    fs::write(&source, lines.concat()).or_fail();
    run(&machine, &world, &["push", "--json", "large", &dest]).done();
    fs::write(&source, [&lines.concat(), "one more\n"].concat()).or_fail();
    let done =
        run(&machine, &world, &["push", "--json", "--recipes", "all", "large", &dest]).done();
    assert_eq!(done.recipes.keys().collect::<Vec<_>>(), ["delta"]);
    assert!(done.bytes_sent < 2000, "{}", done.bytes_sent);
}

#[test]
fn changes_are_shown_as_rsync_shows_them() {
    let (machine, world) = (Machine::new(), world());
    let there = world.path().join("there");
    for (given, dest) in [("a.rb", "dir/new.rb"), ("link", "dir"), ("link", "dir/new")] {
        let dest = text(&there.join(dest));
        let mut rsync = Command::new("rsync");
        rsync.args(["-ain", "--checksum", given, &dest]);
        let theirs = theirs_output(rsync.current_dir(world.path().join("here")));
        let ours = run(&machine, &world, &["push", "-n", "--itemize-changes", given, &dest]);
        let changes = ours.stdout().lines().next().map(str::to_owned).unwrap_or_default();
        assert_eq!(changes, theirs);
    }
    // Nothing was changed, not even by making a directory.
    let fresh = text(&there.join("fresh/new.rb"));
    assert_eq!(run(&machine, &world, &["push", "-n", "a.rb", &fresh]).code(), Some(0));
    assert!(!there.join("fresh").exists() && !there.join("dir/new.rb").exists());
}

/// The one line of a local rsync, which calls receiving what the command calls sending.
fn theirs_output(command: &mut Command) -> String {
    let output = command.output().or_fail();
    let line = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    line.strip_prefix('>').map_or(line.clone(), |rest| format!("<{rest}"))
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let (machine, world, sshd) = (Machine::new(), world(), sshd());
    let (there, config) = (text(&world.path().join("there")), config(&sshd));
    let (dir, file) = (format!("{there}/dir"), format!("{there}/file"));
    let user = format!("{}:~nobody-of-this-name/x", Route::ALIAS);
    let reserved = format!("{there}/.assetsync-x");
    let cases: [(&[&str], i32, &str); 11] = [
        (&["--delete", "a.rb", &dir], 2, "--delete is for directories, and a.rb is a file"),
        (
            &["--files-from", "/dev/null", "a.rb", &dir],
            2,
            "--files-from lists files of a directory",
        ),
        (&["a.rb", "b.rb", &file], 1, "not a directory"),
        (&["a.rb", &format!("{file}/")], 1, "not a directory"),
        (&["a.rb", &format!("{file}/x")], 1, "not a directory"),
        (&["a.rb", &reserved], 1, "names of assetsync's work directories"),
        (&["sub/c.rb", "../here/sub/c.rb", &dir], 1, "Two of the files are called c.rb"),
        (&["--exclude", "*.rb", "a.rb", &dir], 1, "Nothing to push"),
        (&["a.rb", "sub", "testbed:x"], 2, "a.rb is a file and sub a directory"),
        (&["a.rb", "gone", "testbed:x"], 2, "gone does not exist, so it is read as DEST"),
        (&["-F", &config, "a.rb", &user], 1, "no home directory of a user nobody-of-this-name"),
    ];
    let before = snapshot(&world.path().join("there")).or_fail();
    for (given, code, message) in cases {
        let ran = run(&machine, &world, &[&["push"], given].concat());
        assert_eq!(ran.code(), Some(code), "{given:?}: {}", ran.stderr());
        assert!(
            ran.stderr().to_lowercase().contains(&message.to_lowercase()),
            "{given:?}: {}",
            ran.stderr()
        );
        crate::support::assert_untouched(&before, &world.path().join("there"));
    }
    assert!(!sshd.home().join("~nobody-of-this-name").exists());
}

#[test]
fn a_user_of_the_host_has_a_home_directory() {
    let (machine, world, sshd) = (Machine::new(), world(), sshd());
    let home = home_of(sshd.user());
    let name = format!("assetsync-test-{}", std::process::id());
    let path = format!("~{}/{name}", sshd.user());
    for options in [&["-n"][..], &["-n", "--itemize-changes"]] {
        let config = config(&sshd);
        let args = [&["push", "-F", &config], options].concat();
        let to = format!("{}:{path}", Route::ALIAS);
        let ran = run(&machine, &world, &[&args[..], &["a.rb", &to]].concat());
        assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    }
    // A directory there is found.
    let work = tempfile::Builder::new().prefix("assetsync-test-").tempdir_in(&home).or_fail();
    let below = text(work.path().strip_prefix(&home).or_fail());
    let to = format!("ssh://{}/~{}/{below}", Route::ALIAS, sshd.user());
    let ran = run(&machine, &world, &["push", "-F", &config(&sshd), "a.rb", &to]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(work.path().join("a.rb").exists());
    let over_sftp = ["push", "--transport", "sftp", "-F", &config(&sshd), "a.rb", &to];
    let ran = run(&machine, &world, &over_sftp);
    assert!(ran.stderr().contains("the home directory of another user can't be found"));
}

/// The home directory of a user of this machine.
fn home_of(user: &str) -> std::path::PathBuf {
    let users = fs::read_to_string("/etc/passwd").or_fail();
    let line = users.lines().find(|line| line.split(':').next() == Some(user));
    line.and_then(|line| line.split(':').nth(5)).or_fail_with("home directory").into()
}
