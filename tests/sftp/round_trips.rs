//! How often a push over SFTP waits for the server: many files are under way at a time.

use std::fs::File;
use std::time::{Duration, SystemTime};

use assetsync_testbed::corpora;
use assetsync_testbed::tree::Tree;

use super::{Host, assert_clean, assert_same, tree_of, written};
use crate::support::OrFail;

/// A tree of so many files, 20 in a directory.
fn small_files(count: usize, content: &str) -> Tree {
    let names: Vec<String> = (0..count).map(|at| format!("d{}/chunk-{at}.js", at / 20)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tree_of(&names, content)
}

#[test]
fn small_files_take_at_most_half_a_round_trip_each() {
    for count in [60, 600] {
        let host = Host::new("");
        for content in ["first", "second"] {
            let source = written(&small_files(count, content));
            let report = host.push(source.path()).or_fail();
            assert_eq!(report.files_sent as usize, count);
            assert!(report.round_trips as usize * 2 <= count, "{content}: {}", report.round_trips);
            assert_same(source.path(), &host.assets());
            assert_clean(&host.assets());
        }
    }
}

/// Most of these are what any push takes.
#[test]
fn ten_times_as_many_files_take_few_more_round_trips() {
    let round_trips = |count| {
        let host = Host::new("");
        host.push(written(&small_files(count, "x")).path()).or_fail().round_trips
    };
    let (few, many) = (round_trips(60), round_trips(600));
    // Nine more windows of 64 files, each opened, written, closed, looked at and renamed.
    assert!(many <= few + 9 * 5, "{few} and {many}");
}

#[test]
fn on_a_server_that_cannot_replace_files_they_are_still_replaced_together() {
    let host = Host::new("-P posix-rename");
    for content in ["first", "second"] {
        let source = written(&small_files(200, content));
        let report = host.push(source.path()).or_fail();
        assert!(report.round_trips <= 100, "{content}: {}", report.round_trips);
        assert_same(source.path(), &host.assets());
        assert_clean(&host.assets());
    }
}

#[test]
fn files_that_are_only_compiled_again_are_touched_together_and_no_content_is_sent() {
    let host = Host::new("");
    let source = written(&small_files(300, "x"));
    host.push(source.path()).or_fail();
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for at in 0..300 {
        let path = source.path().join(format!("d{}/chunk-{at}.js", at / 20));
        File::open(path).or_fail().set_modified(later).or_fail();
    }
    let report = host.push(source.path()).or_fail();
    assert_eq!((report.files_sent, report.bytes_sent), (0, 0));
    assert!(report.round_trips <= 40, "{}", report.round_trips);
    assert_same(source.path(), &host.assets());
}

#[test]
fn a_bundle_takes_a_tenth_of_a_round_trip_for_each_file() {
    let host = Host::new("");
    let corpus = corpora::path("n8n-2.40.2").or_fail();
    let report = host.push(&corpus).or_fail();
    // Large files are counted as well: 2 MiB of content are under way at a time.
    let windows = report.bytes_sent >> 21;
    let allowed = report.files_sent / 10 + 4 * windows;
    assert!(u64::from(report.round_trips) <= allowed, "{} > {allowed}", report.round_trips);
}
