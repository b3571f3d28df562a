//! `assetsync bench`: that what it says of others is what they say of themselves, and that nothing
//! of a race is left anywhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use assetsync_testbed::rsync::rsync_over;
use assetsync_testbed::tree::{Snapshot, snapshot};
use assetsync_testbed::{Route, Sshd};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Machine, OrFail, Ran, Way, scratch, text};

/// What SSH adds to a conversation: its handshake, and a header and a digest for each packet.
const SSH_OVERHEAD: u64 = 20_000;

/// Two builds, and a machine to race on whose temporary files are known.
struct Bench {
    machine: Machine,
    dir: TempDir,
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench { machine: Machine::new(), dir: scratch() };
        write_build(&bench.path("old"), 1);
        write_build(&bench.path("new"), 2);
        fs::create_dir(bench.path("tmp")).or_fail();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `assetsync bench` with `options` over the two builds, not started yet.
    fn command(&self, options: &[&str]) -> Command {
        let builds = ["old", "new"].map(|name| text(&self.path(name)));
        let words = ["bench"].iter().chain(options).map(|word| (*word).to_owned());
        let mut command = self.machine.command(words.chain(builds));
        command.env("TMPDIR", self.path("tmp"));
        command
    }

    fn race(&self, options: &[&str]) -> Ran {
        Ran(self.command(options).output().or_fail())
    }

    #[track_caller]
    fn assert_nothing_left(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp")).or_fail().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Twenty files, of which the second build changes a few under new names.
fn write_build(dir: &Path, build: u32) {
    fs::create_dir_all(dir.join("chunks")).or_fail();
    fs::write(dir.join("index.html"), format!("<script src=main-{build}.js>")).or_fail();
    for number in 0..20_u32 {
        let version = if number % 5 == 0 { build } else { 0 };
        let lines =
            (0..200_u32).map(|line| format!("f({},{number});\n", line.wrapping_mul(2_654_435_761)));
        let body: String = lines.chain([format!("v{version}")]).collect();
        fs::write(dir.join(format!("chunks/{number}-{version:08x}.js")), body).or_fail();
    }
}

/// The runs of `competitor` in `scenario` of the first link.
fn runs<'a>(record: &'a Value, scenario: &str, competitor: &str) -> &'a Vec<Value> {
    let find = |list: &'a Value, key: &str, name: &str| {
        let found = list.as_array().and_then(|list| list.iter().find(|one| one[key] == name));
        found.unwrap_or_else(|| panic!("no {name} in {list}"))
    };
    let heat = find(&record["races"][0]["heats"], "scenario", scenario);
    find(&heat["entries"], "competitor", competitor)["runs"].as_array().expect("a list of runs")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_race_tells_of_others_what_they_tell_of_themselves() {
    let (bench, begun) = (Bench::new(), Instant::now());
    let ran = bench.race(&["--json", "--runs", "1", "--against", "true {src} {dest}"]);
    let took = begun.elapsed();
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let record: Value = serde_json::from_str(&ran.stdout()).or_fail();
    bench.assert_nothing_left();
    for scenario in ["first", "unchanged", "touched", "update", "rollback", "fresh"] {
        for competitor in ["rsync -av", "rsync -az", "rsync -az --fuzzy", "assetsync"] {
            let run = &runs(&record, scenario, competitor)[0];
            assert_eq!(run["outcome"], "right", "{scenario}, {competitor}: {run}");
            assert!(number(&run["far_peak_bytes"]) > 1_000_000, "{scenario}, {competitor}: {run}");
            assert!(number(&run["far_cpu_us"]) > 0 && number(&run["cpu_us"]) > 0, "{run}");
        }
    }
    for scenario in ["first", "update", "rollback", "fresh"] {
        assert_eq!(runs(&record, scenario, "true")[0]["outcome"], "wrong", "{scenario}");
    }
    assert_eq!(runs(&record, "first", "tar | zstd -9")[0]["outcome"], "right");
    assert_agrees_with_rsync(&bench, &runs(&record, "first", "rsync -av")[0]);
    assert_is_of_a_login(&runs(&record, "unchanged", "ssh HOST true")[0], took);
}

/// rsync's own statistics of the same push are what the race says, but for SSH.
#[track_caller]
fn assert_agrees_with_rsync(bench: &Bench, run: &Value) {
    let sshd = Sshd::start().or_fail();
    let (from, to) = (text(&bench.path("old")), text(&bench.path("by-rsync")));
    let args =
        ["-av".into(), "--stats".into(), format!("{from}/"), format!("{}:{to}/", Route::ALIAS)];
    let output = rsync_over(sshd.route(), args).or_fail().output().or_fail();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let stat = |name: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        let digits = line.unwrap_or_else(|| panic!("no {name} in {said}")).replace(',', "");
        digits.trim().parse().or_fail()
    };
    for (name, key) in
        [("Total bytes sent:", "sent_bytes"), ("Total bytes received:", "received_bytes")]
    {
        let (own, raced) = (stat(name), number(&run[key]));
        assert!(
            (own..own + SSH_OVERHEAD).contains(&raced),
            "{key}: rsync says {own}, the race {raced}"
        );
    }
}

/// An empty command takes some time, less than the whole race, and the bytes of a login.
#[track_caller]
fn assert_is_of_a_login(run: &Value, race: Duration) {
    let raced = Duration::from_micros(number(&run["wall_us"]));
    assert!(!raced.is_zero() && raced < race, "{raced:?}, and {race:?} for the whole race");
    let bytes = number(&run["sent_bytes"]) + number(&run["received_bytes"]);
    assert!((2_000..SSH_OVERHEAD).contains(&bytes), "{bytes}");
}

#[test]
fn a_record_gives_table_page_and_picture_again() {
    let bench = Bench::new();
    let options = ["--runs", "2", "--scenario", "unchanged", "--link", "0", "--link", "2ms,80mbit"];
    let ran = bench.race(&[&options[..], &["--json"]].concat());
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let [record, page, picture] = ["r.json", "page.md", "page.svg"].map(|name| bench.path(name));
    fs::write(&record, ran.stdout()).or_fail();
    let [record, page_text, picture_text] = [&record, &page, &picture].map(|path| text(path));
    let again = ["bench", "--from-json", &record, "--markdown", &page_text, "--svg", &picture_text];
    let first = bench.machine.run(again);
    assert_eq!(first.code(), Some(0), "{}", first.stderr());
    assert_eq!(first.stdout(), bench.machine.run(again).stdout());
    for line in first.stdout().lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for part in
        ["Link: not limited", "Link: 2ms,80mbit", "Nothing changed", "ssh HOST true", "assetsync"]
    {
        assert!(first.stdout().contains(part), "no {part} in {}", first.stdout());
    }
    assert!(fs::read_to_string(&page).or_fail().contains("](page.svg)"));
    assert_well_formed(&fs::read_to_string(&picture).or_fail());
}

/// Every element of the XML is closed where it should be.
#[track_caller]
fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, content) =
            part.split_once('>').unwrap_or_else(|| panic!("{part:?} is not closed"));
        assert!(
            !content.contains('>') && !content.replace("&amp;", "").contains("&am"),
            "{part:?}"
        );
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
    }
    assert!(open.is_empty(), "{open:?} not closed");
}

#[test]
fn nothing_is_left_on_a_host_of_ones_own() {
    let bench = Bench::new();
    let sshd = Sshd::start().or_fail();
    let place = bench.path("place");
    fs::create_dir(&place).or_fail();
    fs::write(place.join("own"), "mine").or_fail();
    let before = snapshot_of(&place, &sshd);
    let ran = race_to(&bench, &sshd, &place);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let record: Value = serde_json::from_str(&ran.stdout()).or_fail();
    let run = &runs(&record, "update", "assetsync")[0];
    assert!(number(&run["sent_bytes"]) > 1_000 && run["far_cpu_us"].is_null(), "{run}");
    assert_left_as_it_was(&before, &place, &sshd);
    bench.assert_nothing_left();
}

#[test]
fn an_agent_that_was_there_stays() {
    let bench = Bench::new();
    let sshd = Sshd::start().or_fail();
    let place = bench.path("place");
    fs::create_dir(&place).or_fail();
    bench.machine.push(&Way::ssh(sshd.route(), place.join("live")), &[], &bench.path("old"));
    let before = snapshot_of(&place, &sshd);
    assert!(!before[1].is_empty(), "the agent is in the home");
    let ran = race_to(&bench, &sshd, &place);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert_left_as_it_was(&before, &place, &sshd);
}

fn race_to(bench: &Bench, sshd: &Sshd, place: &Path) -> Ran {
    let to = format!("{}:{}", Route::ALIAS, place.display());
    let config = text(sshd.ssh_config());
    let scenarios = ["--scenario", "first", "--scenario", "update"];
    let options = ["--json", "--runs", "1", "--to", &to, "-F", &config];
    bench.race(&[&options[..], &scenarios].concat())
}

/// The destination and the home.
fn snapshot_of(place: &Path, sshd: &Sshd) -> [Snapshot; 2] {
    [place, &sshd.home()].map(|path| snapshot(path).or_fail())
}

#[track_caller]
fn assert_left_as_it_was(before: &[Snapshot; 2], place: &Path, sshd: &Sshd) {
    let now = snapshot_of(place, sshd);
    for (before, now) in before.iter().zip(&now) {
        let names = |snapshot: &Snapshot| -> Vec<Vec<u8>> { snapshot.keys().cloned().collect() };
        assert_eq!(names(before), names(now));
    }
}

#[test]
fn an_interrupted_race_leaves_nothing() {
    let bench = Bench::new();
    let mut command = bench.command(&["--runs", "50"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().or_fail();
    let tmp = bench.path("tmp");
    let begun =
        || fs::read_dir(&tmp).or_fail().flatten().any(|dir| dir.path().join("server/0").exists());
    while !begun() {
        thread::sleep(Duration::from_millis(10));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().or_fail().success());
    let status = child.wait().or_fail();
    assert_eq!(status.code(), Some(1));
    bench.assert_nothing_left();
}

#[test]
fn what_is_missing_or_wrong_is_said_before_anything_is_done() {
    let bench = Bench::new();
    let builds = ["old", "new"].map(|name| text(&bench.path(name)));
    let mut command = bench.command(&[]);
    let output = command.env("PATH", bench.path("tmp")).output().or_fail();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("not installed; `apt-get install openssh-client rsync zstd"), "{said}");
    let wrong: [&[&str]; 6] = [
        &["bench"],
        &["bench", "--scenario", "sideways", &builds[0], &builds[1]],
        &["bench", "--link", "fast", &builds[0], &builds[1]],
        &["bench", "--to", "/srv/local", &builds[0], &builds[1]],
        &["bench", "--to", "s3://assets/x", &builds[0], &builds[1]],
        &["bench", &builds[0], "/no/such/build"],
    ];
    for args in wrong {
        let ran = bench.machine.run(args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {}", ran.stderr());
    }
    bench.assert_nothing_left();
}
