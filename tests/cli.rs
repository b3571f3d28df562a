//! What the command says and how it ends: its contract with people and scripts.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use assetsync_testbed::tree::snapshot;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Machine, OrFail, Ran, assert_equal, assert_untouched, local_shell, scratch, text,
};

/// A machine, a source, and room for destinations.
struct Bench {
    machine: Machine,
    room: TempDir,
}

impl Bench {
    /// The source has two files, a directory and a link.
    fn new() -> Bench {
        let bench = Bench { machine: Machine::new(), room: scratch() };
        fs::create_dir_all(bench.path("src/dir")).or_fail();
        fs::write(bench.path("src/a.txt"), "hello").or_fail();
        fs::write(bench.path("src/dir/b.txt"), "world!\n".repeat(100)).or_fail();
        symlink("a.txt", bench.path("src/link")).or_fail();
        local_shell(bench.room.path());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    /// Runs `assetsync push`; words that begin with `@` are paths of this bench, `host:@` those
    /// that `-e @shell` reaches.
    #[track_caller]
    fn push(&self, words: &str) -> Ran {
        self.machine.run(self.words(words))
    }

    fn words(&self, words: &str) -> Vec<String> {
        let word = |word: &str| match word.split_once('@') {
            Some((host @ ("" | "host:"), name)) => format!("{host}{}", text(&self.path(name))),
            _ => word.to_owned(),
        };
        ["push"].into_iter().chain(words.split_whitespace()).map(word).collect()
    }

    /// Runs it; it must go well.
    #[track_caller]
    fn done(&self, words: &str) -> Ran {
        let ran = self.push(words);
        assert_eq!(ran.code(), Some(0), "{words}\n{}{}", ran.stdout(), ran.stderr());
        ran
    }

    /// Standard output with the bench's paths and all measured numbers masked.
    fn masked(&self, ran: &Ran) -> String {
        let room = format!("{}/", text(self.room.path()));
        ran.stdout().replace(&room, "@").lines().map(|line| masked(line) + "\n").collect()
    }
}

/// In lines of measures, `#` for each number with its unit.
fn masked(line: &str) -> String {
    let is_measure = ["  sent ", "  took "].iter().any(|start| line.starts_with(start))
        && !line.starts_with("  sent whole ");
    if !is_measure {
        return line.to_owned();
    }
    let unit = |word: &str| ["B", "kB", "MB", "s", "%"].contains(&word.trim_matches([',', ':']));
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        if !word.is_empty() && word.parse::<f64>().is_ok() {
            words.push("#".into());
        } else if unit(word) && words.last().is_some_and(|last| last == "#") {
            let mark = word.trim_start_matches(|c: char| c.is_alphabetic() || c == '%');
            words.last_mut().expect("there is one").push_str(mark);
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).or_fail()).collect()
}

#[test]
fn in_a_pipe_only_the_summary_is_printed() {
    let bench = Bench::new();
    let first = bench.done("@src @dest");
    let expected = "\
@dest
  sent whole          2 files      705 B
  directories     1 directory
  links                1 link
  sent #, received #: # of #
  took #, server memory peak #
";
    assert_eq!((bench.masked(&first).as_str(), first.stderr().as_str()), (expected, ""));
    let again = bench.done("@src/ @dest/");
    let expected = "\
@dest/
  unchanged         2 files      705 B
  sent #, received #: # of #
  took #, server memory peak #
";
    assert_eq!((bench.masked(&again).as_str(), again.stderr().as_str()), (expected, ""));
    assert_equal(&bench.path("src"), &bench.path("dest"));
}

#[test]
fn quiet_prints_nothing_but_errors() {
    let bench = Bench::new();
    let ran = bench.done("-q @src @dest");
    assert_eq!((ran.stdout(), ran.stderr()), (String::new(), String::new()));
    let ran = bench.push("-q @missing @dest");
    assert!(ran.stdout().is_empty() && ran.stderr().starts_with("error: "), "{}", ran.stderr());
}

/// One change of each kind, for [`Bench::new`]'s source after a push.
fn change_everything(bench: &Bench) {
    let src = |name: &str| bench.path("src").join(name);
    fs::write(src("a.txt"), "hullo").or_fail();
    fs::write(src("new\n.txt"), "new content").or_fail();
    fs::copy(src("dir/b.txt"), src("copy.txt")).or_fail();
    let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
    let file = File::options().append(true).open(src("dir/b.txt")).or_fail();
    file.set_times(times).or_fail();
    fs::set_permissions(src("dir"), Permissions::from_mode(0o700)).or_fail();
    fs::remove_file(src("link")).or_fail();
    symlink("elsewhere", src("link")).or_fail();
    fs::create_dir(src("more")).or_fail();
    fs::write(bench.path("dest/old.txt"), "old").or_fail();
}

const CHANGES: &str = "\
<fc.t...... a.txt
cf+++++++++ copy.txt
.d...p..... dir/
.f..t...... dir/b.txt
cLc.t...... link -> elsewhere
cd+++++++++ more/
<f+++++++++ new\\n.txt
*deleting   old.txt
";

#[test]
fn a_dry_run_prints_the_plan_and_changes_nothing() {
    let bench = Bench::new();
    bench.done("@src @dest");
    change_everything(&bench);
    let before = snapshot(&bench.path("dest")).or_fail();
    let expected = format!(
        "{CHANGES}\
@dest
  would get new times               1 file      700 B
  would be copied there             1 file      700 B
  would be sent whole              2 files       16 B
  would be made or changed   2 directories
  would be made or changed          1 link
  would be deleted                  1 path
  sent #, received # to compare
  took #, server memory peak #
  dry run: nothing was changed
"
    );
    assert_eq!(bench.masked(&bench.done("-n --delete @src @dest")), expected);
    assert_untouched(&before, &bench.path("dest"));
}

#[test]
fn a_dry_run_does_not_make_the_destination() {
    let bench = Bench::new();
    bench.done("--dry-run @src @dest");
    assert!(!bench.path("dest").exists());
}

#[test]
fn itemized_changes_are_those_of_the_dry_run() {
    let bench = Bench::new();
    bench.done("@src @dest");
    change_everything(&bench);
    let ran = bench.done("--itemize-changes --delete @src @dest");
    assert!(ran.stdout().starts_with(CHANGES), "{}", ran.stdout());
    assert_equal(&bench.path("src"), &bench.path("dest"));
}

#[test]
fn verbose_prints_each_step() {
    let bench = Bench::new();
    let ran = bench.done("-avz @src @dest");
    let steps = [
        "paths at the destination",
        "so files are sent whole or by blocks",
        "this machine worked for ",
        "published",
    ];
    for step in steps {
        assert!(ran.stderr().contains(step), "{step}: {}", ran.stderr());
    }
    assert!(ran.stdout().contains("<f+++++++++ a.txt\n"), "{}", ran.stdout());
}

#[test]
fn json_ends_each_destination_with_one_line() {
    let bench = Bench::new();
    bench.done("-q @src @dest");
    change_everything(&bench);
    let ran = bench.done("--json --delete @src @dest");
    assert_eq!(ran.stderr(), "");
    let done = &ran.done_events()[..];
    let [done] = done else { panic!("{done:?}") };
    let expected = [
        ("destination", Value::from(text(&bench.path("dest")))),
        ("ok", true.into()),
        ("dry_run", false.into()),
        ("files_total", 4.into()),
        ("files_sent", 2.into()),
        ("files_deleted", 1.into()),
        ("retried", 0.into()),
    ];
    for (name, value) in expected {
        assert_eq!(done[name], value, "{name}: {done}");
    }
    for name in ["bytes_sent", "bytes_received", "agent_peak_rss_bytes"] {
        assert!(done[name].as_u64().is_some_and(|number| number > 0), "{name}: {done}");
    }
    assert!(done["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{done}");
    assert_eq!(done["recipes"]["whole"]["files"], 2, "{done}");
    assert_eq!(done["recipes"]["copy"]["bytes"], 700, "{done}");
    assert!(done.get("error").is_none(), "{done}");
    let events: Vec<Value> =
        lines(&ran.stdout()).iter().map(|line| line["event"].clone()).collect();
    // A file of the source is private, which is worth a notice.
    assert_eq!(
        events,
        ["notice", "surveyed", "planned", "progress", "sent", "verified", "published", "done"]
    );
}

#[test]
fn json_of_a_dry_run_has_a_line_for_each_action() {
    let bench = Bench::new();
    bench.done("-q @src @dest");
    change_everything(&bench);
    let odd = bench.path("src").join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    fs::write(odd, "odd").or_fail();
    let ran = bench.done("--json -n --delete @src @dest");
    let all = lines(&ran.stdout());
    let actions: Vec<&Value> = all.iter().filter(|line| line["event"] == "action").collect();
    let kinds: Vec<_> =
        actions.iter().map(|line| line["action"].as_str().unwrap_or_default()).collect();
    let expected =
        ["file", "file", "directory", "file", "symlink", "directory", "file", "file", "delete"];
    assert_eq!(kinds, expected);
    assert_eq!((&actions[0]["recipe"], &actions[0]["new"]), (&"whole".into(), &false.into()));
    let (new, odd) = (actions[6], actions[7]);
    assert_eq!(
        (&new["path"], &new["path_hex"]),
        (&"new\\n.txt".into(), &"6e65770a2e747874".into())
    );
    assert_eq!((&odd["path"], &odd["path_hex"]), (&"odd\\xff".into(), &"6f6464ff".into()));
    assert_eq!(all.last().expect("a line")["dry_run"], true);
}

#[test]
fn the_order_of_filters_counts() {
    let rules = "+ from.map\n- *.map\n";
    let rows = [
        ("--include keep.map --exclude *.map", &["keep.map"][..]),
        ("--exclude *.map --include keep.map", &[]),
        ("--exclude-from @rules", &["from.map"]),
        ("--include keep.map --exclude-from @rules", &["from.map", "keep.map"]),
        ("--exclude-from @rules --include keep.map", &["from.map"]),
        ("--include-from @names --exclude *.map", &["keep.map", "other.map"]),
        ("--exclude=*.map --include-from @names", &[]),
    ];
    let bench = Bench::new();
    for name in ["keep.map", "from.map", "other.map"] {
        fs::write(bench.path("src").join(name), name).or_fail();
    }
    fs::write(bench.path("rules"), rules).or_fail();
    fs::write(bench.path("names"), "# those\nkeep.map\nother.map\n").or_fail();
    for (at, (options, expected)) in rows.iter().enumerate() {
        bench.done(&format!("-q {options} @src @dest{at}"));
        assert_eq!(names(&bench.path(&format!("dest{at}")), ".map"), *expected, "{options}");
    }
}

/// Names in a directory that end so, sorted.
fn names(dir: &Path, end: &str) -> Vec<String> {
    let entries = fs::read_dir(dir).or_fail().map(|entry| entry.or_fail().file_name());
    let names = entries.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

#[test]
fn bad_usage_ends_with_2_and_changes_nothing() {
    let bench = Bench::new();
    fs::create_dir(bench.path("empty")).or_fail();
    fs::create_dir(bench.path("dest")).or_fail();
    fs::write(bench.path("dest/there"), "there").or_fail();
    let before = snapshot(bench.room.path()).or_fail();
    let rows = [
        ("", "SRC"),
        ("@src", "DEST"),
        ("@missing @dest", "Can't use source"),
        ("@src/a.txt/ @dest", "Can't use source"),
        ("--delete @src/a.txt @dest", "is a file"),
        ("host:src @dest", "never pulls"),
        ("--delete @empty @dest", "--allow-empty"),
        ("@src host:", "Invalid destination"),
        ("@src ssh://host", "Invalid destination"),
        ("@src host:@dest host:@dest/", "is given twice"),
        ("--delete @src @", "would delete the source"),
        ("--bwlimit 1x @src @dest", "expected a number"),
        ("--timeout 0 @src @dest", "--timeout"),
        ("--port 0 @src @dest", "--port"),
        ("--checksum --size-only @src @dest", "cannot be used with"),
        ("--no-such-option @src @dest", "--no-such-option"),
        ("--transport carrier-pigeon @src @dest", "possible values: ssh2, openssh, sftp"),
        ("--exclude-from @nothing @src @dest", "Can't read patterns"),
        ("-e it's @src host:dest", "Cannot split remote shell"),
        ("--transport ssh2 -e ssh @src host:dest", "exclude each other"),
    ];
    for (words, expected) in rows {
        let ran = bench.push(words);
        assert_eq!(ran.code(), Some(2), "{words}: {}", ran.stderr());
        assert!(ran.stderr().contains(expected), "{words}: {}", ran.stderr());
        assert_eq!(ran.stdout(), "", "{words}");
    }
    assert_untouched(&before, bench.room.path());
}

#[test]
fn failures_end_with_1() {
    let bench = Bench::new();
    fs::create_dir(bench.path("dest")).or_fail();
    fs::write(bench.path("dest/there"), "there").or_fail();
    fs::write(bench.path("file"), "in the way").or_fail();
    let before = snapshot(&bench.path("dest")).or_fail();
    let rows = [
        ("-e no-such-shell @src host:dest", "no-such-shell", ""),
        ("--delete --max-delete 0 @src @dest", "1 paths would be deleted", "hint: -n lists"),
        ("@src @file", "file", "hint: DEST"),
    ];
    for (words, message, hint) in rows {
        let ran = bench.push(words);
        assert_eq!(ran.code(), Some(1), "{words}: {}", ran.stderr());
        let destination = bench.words(words).pop().expect("a destination");
        let start = format!("error: {destination}: ");
        let said = ran.stderr();
        assert!(said.starts_with(&start) && said.contains(message), "{words}: {said}");
        assert!(said.contains(hint), "{words}: {said}");
    }
    assert_untouched(&before, &bench.path("dest"));
}

#[test]
fn every_destination_is_reported_and_some_failures_are_3() {
    let bench = Bench::new();
    fs::write(bench.path("file"), "in the way").or_fail();
    let rows = [
        ("host:@one host:@file host:@two", 3, &[true, false, true][..]),
        ("host:@file", 1, &[false]),
        ("host:@file host:@file/below", 1, &[false, false]),
        ("host:@one host:@two", 0, &[true, true]),
    ];
    for (destinations, code, oks) in rows {
        let ran = bench.push(&format!("--json -e @shell @src {destinations}"));
        assert_eq!(ran.code(), Some(code), "{destinations}: {}", ran.stderr());
        let mut found: Vec<_> = ran
            .done_events()
            .iter()
            .map(|done| (done["destination"].clone(), done.clone()))
            .collect();
        found.sort_by_key(|(destination, _)| destination.to_string());
        let given = bench.words(destinations);
        let mut expected: Vec<_> = given[1..].iter().zip(oks).collect();
        expected.sort();
        assert_eq!(found.len(), expected.len());
        for ((destination, done), (given, ok)) in found.iter().zip(expected) {
            assert_eq!((destination, &done["ok"]), (&given.as_str().into(), &(*ok).into()));
            assert_eq!(done.get("error").is_some(), !ok, "{done}");
            assert!(done["files_total"].is_number() && done["recipes"].is_object(), "{done}");
        }
    }
    assert_equal(&bench.path("src"), &bench.path("two"));
}

#[test]
fn json_reports_what_was_never_tried() {
    let bench = Bench::new();
    let ran = bench.push("--json @missing host:@one host:@two");
    assert_eq!(ran.code(), Some(2));
    assert!(ran.stderr().contains("Can't use source"), "{}", ran.stderr());
    let done = ran.done_events();
    assert_eq!(done.len(), 2, "{done:?}");
    assert!(done.iter().all(|done| done["ok"] == false && done["error"].is_string()), "{done:?}");
}

#[test]
fn specials_are_named_once() {
    let bench = Bench::new();
    let socket = std::os::unix::net::UnixListener::bind(bench.path("src/socket")).or_fail();
    let ran = bench.done("-e @shell @src host:@one host:@two");
    assert_eq!(ran.stderr().matches("socket is a FIFO, socket or device").count(), 1);
    drop(socket);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_push() {
    let bench = Bench::new();
    let mut command = bench.machine.command(bench.words("--json @src @dest"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().or_fail();
    drop(child.stdout.take());
    let output = child.wait_with_output().or_fail();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
    assert_equal(&bench.path("src"), &bench.path("dest"));
}

#[test]
fn output_that_can_not_be_written_is_a_failure() {
    let bench = Bench::new();
    let full = File::options().write(true).open("/dev/full").or_fail();
    let mut command = bench.machine.command(bench.words("@src @dest"));
    let output = command.stdout(full).output().or_fail();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Can't write to standard output"), "{said}");
}

#[test]
fn the_rate_limit_is_kept() {
    let bench = Bench::new();
    let mut noise = 0x9e37_79b9_u32;
    let mut byte = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise as u8
    };
    let bytes: Vec<u8> = (0..300_000).map(|_| byte()).collect();
    fs::write(bench.path("src/noise"), bytes).or_fail();
    bench.done("-q -e @shell @src host:@install");
    let started = Instant::now();
    bench.done("-q --bwlimit 200 -e @shell @src host:@dest");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?} for 300 kB at 200 KiB a second");
}

#[test]
fn own_entry_points_are_added() {
    let bench = Bench::new();
    for name in ["index.html", "a.js", "b.js"] {
        fs::write(bench.path("src").join(name), name).or_fail();
    }
    let ran = bench.done("--json -n --entry-point a.* @src @dest");
    let all = lines(&ran.stdout());
    let entry_points = all.iter().filter(|line| line["entry_point"] == true);
    let paths: Vec<&str> =
        entry_points.map(|line| line["path"].as_str().unwrap_or_default()).collect();
    assert_eq!(paths, ["a.js", "a.txt", "dir/b.txt", "index.html"]);
}

#[test]
fn help_fits_a_terminal_and_names_every_exit_code() {
    let machine = Machine::new();
    for args in [&["push", "-h"][..], &["push", "--help"], &["--help"]] {
        let mut command = machine.command(args);
        let output = command.env("COLUMNS", "80").output().or_fail();
        let text = String::from_utf8(output.stdout).or_fail();
        let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.iter().all(|line| line.contains("assetsync push")), "{long:#?}");
    }
    assert!(machine.run(["push", "--help"]).stdout().contains("3 some destinations failed"));
    assert!(machine.run(["--version"]).stdout().starts_with("assetsync "));
}
