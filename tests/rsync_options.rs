//! Options that scripts and hands know from rsync, with rsync itself as referee: both programs push
//! the same source to equal destinations with the same options, and the results are compared.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use assetsync_testbed::tree::{DiffOptions, diff_trees, snapshot};
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, assert_equal, scratch, text};

/// A source, a directory outside of it, and two equal destinations.
struct Arena {
    dir: TempDir,
    machine: Machine,
}

impl Arena {
    fn new() -> Arena {
        let arena = Arena { dir: scratch(), machine: Machine::new() };
        arena.write("source", &["app.js", "app.js.map", "d/x.js", "d/deep/y.css", "logs/z.log"]);
        arena.write("outside", &["lib.js", "sub/part.js"]);
        arena
    }

    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, below: &str, files: &[&str]) {
        for file in files {
            let path = self.at(below).join(file);
            fs::create_dir_all(path.parent().expect("it has a parent")).or_fail();
            fs::write(&path, format!("content of {file}")).or_fail();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            fs::File::options().write(true).open(&path).or_fail().set_modified(time).or_fail();
        }
    }

    fn link(&self, target: impl AsRef<Path>, path: &str) {
        symlink(target, self.at("source").join(path)).or_fail();
    }

    /// Links of all kinds: inside, outside by both ways of writing it, to files and directories.
    fn add_links(&self) {
        self.link("app.js", "inside");
        self.link("d", "inside-dir");
        self.link(self.at("outside/lib.js"), "absolute");
        self.link("../outside/lib.js", "relative");
        self.link(self.at("outside"), "outside-dir");
        self.link("../../outside/sub", "d/outside-sub");
        self.link("../app.js", "d/up");
    }

    /// What both destinations have before the push.
    fn before(&self, files: &[&str]) {
        self.write("srv/ours", files);
        self.write("theirs", files);
    }

    fn push(&self, options: &[&str]) -> Ran {
        let words = ["push"].iter().chain(options).map(|word| (*word).to_owned());
        self.machine.run(words.chain([text(&self.at("source")), text(&self.at("srv/ours"))]))
    }

    fn rsync(&self, options: &[&str]) -> Option<i32> {
        let mut command = Command::new("rsync");
        command.arg("-a").args(options).arg(self.at("source/")).arg(self.at("theirs/"));
        command.output().unwrap_or_else(|error| panic!("rsync: {error}")).status.code()
    }

    /// Pushes with both programs, and compares what they made.
    fn compare(&self, options: &[&str]) {
        assert_eq!(self.rsync(options), Some(0), "rsync {options:?}");
        let ran = self.push(options);
        assert_eq!(ran.code(), Some(0), "{options:?}: {}", ran.stderr());
        // rsync does not set the times of all links.
        let snapshots = ["theirs", "srv/ours"].map(|place| snapshot(&self.at(place)).or_fail());
        let different = diff_trees(&snapshots[0], &snapshots[1], &DiffOptions::default());
        assert_eq!(different, [""; 0], "{options:?}");
    }
}

#[test]
fn links_are_copied_kept_or_left_out_as_in_rsync() {
    for options in [
        &["--copy-links"][..],
        &["-L", "--delete", "--max-delete=99"],
        &["--copy-unsafe-links"],
        &["--copy-unsafe-links", "--safe-links"],
        &["--safe-links"],
        &["--copy-dirlinks"],
        &["-k", "--safe-links"],
        &["-L", "--exclude", "outside-dir/", "--exclude", "up"],
        &["-L", "--exclude", "/outside-dir/sub"],
    ] {
        let arena = Arena::new();
        arena.add_links();
        arena.compare(options);
        // What is copied behind a link is updated there.
        arena.write("outside", &["sub/new.js"]);
        fs::write(arena.at("outside/lib.js"), "changed and longer").or_fail();
        arena.compare(options);
    }
}

#[test]
fn a_link_to_nowhere_or_to_itself_is_an_error_if_it_is_to_be_copied() {
    for (target, name) in [("nowhere", "lost"), (".", "d/self"), ("..", "d/up")] {
        let arena = Arena::new();
        arena.link(target, name);
        assert_eq!(arena.push(&[]).code(), Some(0), "{name}");
        let ran = arena.push(&["-L"]);
        assert_eq!(ran.code(), Some(1), "{name}: {}", ran.stderr());
        assert!(ran.stderr().contains(name), "{}", ran.stderr());
    }
}

#[test]
fn a_link_out_of_the_source_is_warned_of() {
    let arena = Arena::new();
    arena.add_links();
    let ran = arena.push(&[]);
    assert_eq!(ran.code(), Some(0));
    let said = ran.stderr();
    let expected = "absolute and 3 more are links out of the source";
    assert!(said.contains(expected) && said.contains("--copy-unsafe-links"), "{said}");
    for quiet in ["--copy-links", "--copy-unsafe-links"] {
        assert!(!arena.push(&[quiet]).stderr().contains("out of the source"), "{quiet}");
    }
}

#[test]
fn excluded_files_stay_or_go() {
    for options in [
        &["--delete", "--exclude=*.map"][..],
        &["--delete-excluded", "--exclude=*.map"],
        &["--delete", "--delete-excluded", "--exclude=*.map", "--exclude=/old/"],
        &["--delete-excluded", "--exclude=*.map", "--filter=P *.log"],
        &["--delete-excluded", "-f", "-s *.map", "-f", "-r gone.js"],
        &["--del", "-f", "hide *.map"],
        &["--delete-after", "-f", "H,_*.map", "-f", "protect old/"],
        &["--delete-before", "-f", "- *.map", "-f", "!"],
        &["--delete-during", "-f", "+ d/", "-f", "- */"],
        &["--delete-delay", "-f", "R old/keep.log", "-f", "P *.log", "-f", "P old/"],
    ] {
        let arena = Arena::new();
        arena.before(&["app.js.map", "gone.js", "old/keep.log", "old/x.map", "other.log"]);
        let options: Vec<_> = options.iter().chain(&["--max-delete=99"]).copied().collect();
        arena.compare(&options);
    }
}

#[test]
fn rules_are_merged_from_files() {
    let arena = Arena::new();
    let (rules, more) = (text(&arena.at("rules")), text(&arena.at("more")));
    fs::write(&rules, format!("# rules\n- *.map\n. {more}\n")).or_fail();
    fs::write(&more, "H logs/\n").or_fail();
    arena.compare(&["--filter", &format!("merge {rules}")]);
    fs::write(&more, format!(". {more}\n")).or_fail();
    let ran = arena.push(&["--filter", &format!(". {rules}")]);
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("files deep"), "{}", ran.stderr());
    let ran = arena.push(&["--filter", "dir-merge .rules"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("dir-merge .rules"), "{}", ran.stderr());
}

#[test]
fn listed_files_are_pushed_alone() {
    for (list, options) in [
        ("app.js\nd/deep/y.css\n", &[][..]),
        ("/app.js\n./d//x.js\n", &[]),
        ("; comment\n# comment\r\nlogs\r\n", &[]),
        ("d\n", &["-r"]),
        ("d/\n", &["--exclude=*.css", "-r"]),
        ("app.js\0d/x.js\0", &["--from0"]),
        ("app.js\0d/x.js", &["-0"]),
    ] {
        let arena = Arena::new();
        arena.before(&["app.js", "other.js"]);
        fs::write(arena.at("list"), list).or_fail();
        let from = format!("--files-from={}", text(&arena.at("list")));
        let options: Vec<_> = options.iter().copied().chain([from.as_str()]).collect();
        arena.compare(&options);
    }
}

#[test]
fn a_list_that_can_not_be_followed_is_refused() {
    let arena = Arena::new();
    let from = format!("--files-from={}", text(&arena.at("list")));
    for (list, options, expected, code) in [
        ("app.js\nmissing.js\n", &[][..], "missing.js", 1),
        ("../outside/lib.js\n", &[], "leaves SRC", 2),
        ("app.js\n", &["--delete"], "--delete", 2),
    ] {
        fs::write(arena.at("list"), list).or_fail();
        let ran = arena.push(&[&[from.as_str()], options].concat());
        assert_eq!(ran.code(), Some(code), "{list}: {}", ran.stderr());
        assert!(ran.stderr().contains(expected), "{}", ran.stderr());
        assert!(!arena.at("srv").exists());
    }
}

#[test]
fn options_without_effect_are_accepted_bundled_and_repeated() {
    for options in [
        "-azP --delete-after --partial --info=progress2 --no-o --no-g",
        "-aHDO -rlt -z -z --compress-level=9 --zc=zstd --skip-compress=gz/jpg --numeric-ids",
        "-rltgoDsyWSEJ8 --mkpath --delay-updates --fsync --no-i-r --modify-window=1",
        "--delete --delete --stats --stats -I --checksum-choice=xxh3 -B 1000 --force",
    ] {
        let arena = Arena::new();
        let ran = arena.push(&options.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code(), ran.stderr().as_str()), (Some(0), ""), "{options}");
        assert_equal(&arena.at("source"), &arena.at("srv/ours"));
    }
    let ran = Arena::new().push(&["-a", "-vv"]);
    assert!(ran.stderr().contains("--archive has no effect"), "{}", ran.stderr());
}

#[test]
fn options_that_are_not_supported_are_named_with_the_reason() {
    for (options, name, reason) in [
        ("--link-dest=../old", "--link-dest", "under any name"),
        ("--inplace", "--inplace", "renamed into place"),
        ("-u", "--update", "equal to SRC"),
        ("-avzu", "--update", "equal to SRC"),
        ("--backup", "--backup", "rollback"),
        ("-R", "--relative", "in full"),
        ("-aAX", "--acls", "permission bits"),
        ("--chown www:www", "--chown", "--sudo=USER"),
        ("--no-p", "--no-perms", "--chmod"),
        ("-V", "--version", "assetsync --version"),
    ] {
        let ran = Arena::new().push(&options.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code(), Some(2), "{options}");
        let said = ran.stderr();
        assert!(said.contains(&format!("rsync's {name} is not supported")), "{options}: {said}");
        assert!(said.contains(reason), "{options}: {said}");
    }
}

#[test]
fn short_options_of_ssh_are_explained_where_those_of_rsync_are_meant() {
    for (options, expected) in [
        ("-rlpt", "permission bits are always preserved"),
        ("-ai", "--itemize-changes lists what changes"),
        ("-aF", "--filter says"),
    ] {
        let arena = Arena::new();
        let (source, to) = (text(&arena.at("source")), text(&arena.at("srv/ours")));
        let ran = arena.machine.run(["push", options, &source, &to, "more"]);
        assert_eq!(ran.code(), Some(2), "{options}");
        assert!(ran.stderr().contains(expected), "{options}: {}", ran.stderr());
    }
}

#[test]
fn the_remote_shell_of_the_environment_is_used() {
    let arena = Arena::new();
    let shell = crate::support::local_shell(arena.dir.path());
    let destination = format!("host:{}", text(&arena.at("srv/ours")));
    let words = ["push".to_owned(), text(&arena.at("source")), destination];
    let mut command = arena.machine.command(words);
    let output = command.env("RSYNC_RSH", &shell).output().or_fail();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_equal(&arena.at("source"), &arena.at("srv/ours"));
}

#[test]
fn changes_are_printed_and_logged_in_a_given_format() {
    let arena = Arena::new();
    let log = arena.at("log");
    let log_file = format!("--log-file={}", text(&log));
    let ran = arena.push(&["--out-format=%o %n %l", &log_file]);
    assert!(ran.stdout().contains("send d/deep/y.css 23\n"), "{}", ran.stdout());
    assert!(ran.stdout().contains("send d/ 0\n"), "{}", ran.stdout());
    let logged = fs::read_to_string(&log).or_fail();
    assert!(logged.lines().any(|line| line.ends_with("] <f+++++++++ d/x.js")), "{logged}");
    fs::remove_file(arena.at("source/app.js")).or_fail();
    let more = ["--delete", &log_file, "--log-file-format=%o %f", "--max-delete=9", "-q"];
    assert_eq!(arena.push(&more).stdout(), "");
    let appended = fs::read_to_string(&log).or_fail();
    assert!(appended.starts_with(&logged) && appended.contains("] del. app.js\n"), "{appended}");
    let ran = arena.push(&["--out-format=%q"]);
    assert!(ran.code() == Some(2) && ran.stderr().contains("%q is not supported"));
}
