//! Promise: no change makes a push worse unnoticed. For each scenario the exact figures of one push
//! are written down here: bytes both ways, round trips, files the agent reads, its peak memory. One
//! that is more than 5 % worse fails, with both figures; one that is better should be written down.
//!
//! The destination is local, so content is compressed for speed; by which ways files go is said,
//! except to a nearby host. `budgets` has the bytes on a long way.

use std::path::Path;

use serde_json::Value;

use crate::support::{Machine, OrFail, Way, fresh_corpus, scratch, tell};

/// What is counted, and by how much it may differ before anybody has to look, in its own unit.
///
/// Memory depends on the allocator and the kernel. Bytes depend on no clock: the times of files are
/// the same on every run, and content for a near destination is compressed at level 1, or at level
/// 3 where the agent is busy, which makes it smaller.
const COUNTED: [(&str, u64); 4] = [
    ("bytes", 0),
    ("round_trips", 0),
    ("agent_files_read", 0),
    ("agent_peak_rss_bytes", 256 * 1024),
];

/// One push to a destination that the scenario before has left, and its figures in the order of
/// [`COUNTED`].
struct Scenario {
    name: &'static str,
    source: Build,
    figures: [u64; 4],
}

/// Which files are pushed: a release, every time freshly written.
#[derive(Clone, Copy)]
enum Build {
    Old,
    New,
    /// The one before, not written again.
    Same,
}

const N8N: [Scenario; 5] = [
    Scenario { name: "first push", source: Build::Old, figures: [11_882_000, 2, 0, 11_900_000] },
    Scenario { name: "nothing changed", source: Build::Same, figures: [237, 1, 0, 1_950_000] },
    Scenario { name: "only times changed", source: Build::Old, figures: [4_480, 2, 0, 2_600_000] },
    Scenario { name: "update", source: Build::New, figures: [44_750, 2, 676, 3_400_000] },
    Scenario { name: "rollback", source: Build::Old, figures: [45_000, 2, 676, 3_400_000] },
];

const HOME_ASSISTANT: [Scenario; 3] = [
    Scenario { name: "first push", source: Build::Old, figures: [77_000_000, 2, 0, 13_100_000] },
    Scenario { name: "nothing changed", source: Build::Same, figures: [238, 1, 0, 2_300_000] },
    Scenario { name: "update", source: Build::New, figures: [3_405_000, 2, 2954, 4_830_000] },
];

/// To a nearby host.
const N8N_NEAR: [Scenario; 3] = [
    Scenario { name: "first push", source: Build::Old, figures: [11_882_000, 2, 0, 11_900_000] },
    Scenario { name: "update", source: Build::New, figures: [456_200, 3, 1002, 4_800_000] },
    Scenario { name: "rollback", source: Build::Old, figures: [455_700, 3, 1002, 4_900_000] },
];

#[test]
fn n8n() {
    check("n8n-2.40.2", "n8n-2.40.3", &N8N, &["--recipes", "all"]);
}

#[test]
fn n8n_fast_link() {
    check("n8n-2.40.2", "n8n-2.40.3", &N8N_NEAR, &[]);
}

#[test]
fn home_assistant() {
    let (old, new) = ("home-assistant-20250109.1", "home-assistant-20250109.2");
    check(old, new, &HOME_ASSISTANT, &["--recipes", "all"]);
}

/// Runs the scenarios one after the other with `options` and compares.
fn check(old: &str, new: &str, scenarios: &[Scenario], options: &[&str]) {
    let dir = scratch();
    let destination = dir.path().join("srv/assets");
    let machine = Machine::new();
    // Installs the agent, so that the first push of all is like that of any other release.
    push(&machine, &source(dir.path(), "none"), &dir.path().join("other"), options);
    let (mut last, mut worse) = (dir.path().join("0"), Vec::new());
    for (number, scenario) in scenarios.iter().enumerate() {
        let fresh = dir.path().join(number.to_string());
        match scenario.source {
            Build::Old => last = fresh_corpus(old, &fresh),
            Build::New => last = fresh_corpus(new, &fresh),
            Build::Same => {}
        }
        // If there are many `.gz` files, how many of them are taken apart depends on how busy the
        // machine is. That is so where everything is new, so the first push is without options,
        // which leaves them as they are.
        let options = if number == 0 { &[] } else { options };
        let found = figures(&push(&machine, &last, &destination, options));
        tell(&format!("{old}, {}: figures: {found:?}", scenario.name));
        worse.extend(compare(scenario, found));
    }
    assert!(worse.is_empty(), "{}", worse.join("\n"));
}

/// A source with one small file.
fn source(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    std::fs::create_dir(&path).or_fail();
    std::fs::write(path.join("robots.txt"), "User-agent: *").or_fail();
    path
}

fn push(machine: &Machine, source: &Path, destination: &Path, options: &[&str]) -> Value {
    let options = [&["--delete"], options].concat();
    let ran = machine.try_push(&Way::local(destination), &options, source);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    ran.done_events().remove(0)
}

fn figures(done: &Value) -> [u64; 4] {
    let number = |name: &str| done[name].as_u64().unwrap_or_else(|| panic!("no {name} in {done}"));
    COUNTED.map(|(name, _)| match name {
        "bytes" => number("bytes_sent") + number("bytes_received"),
        name => number(name),
    })
}

/// What is worse than written down, in words.
fn compare(scenario: &Scenario, found: [u64; 4]) -> Vec<String> {
    let mut worse = Vec::new();
    for (((name, slack), known), found) in COUNTED.iter().zip(scenario.figures).zip(found) {
        if found > known + (known / 20).max(*slack) {
            worse.push(format!("{}: {name} was {known}, is {found}", scenario.name));
        }
    }
    worse
}
