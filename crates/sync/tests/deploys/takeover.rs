//! Destinations that something else made: what is known of them, and how their files are compared.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use assetsync_sync::internals::push;
use assetsync_sync::{Decision, Source};

use crate::support::{TestHost, files};

/// What a build with fixed times writes; the second one keeps every size.
const BEFORE: [(&str, &str); 3] = [("app.js", "1111"), ("index.html", "same"), ("x/y.css", "11")];
const AFTER: [(&str, &str); 3] = [("app.js", "2222"), ("index.html", "same"), ("x/y.css", "22")];

/// Gives all files of a tree the same time.
fn fix_times(root: &Path) {
    for item in fs::read_dir(root).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            fix_times(&path);
        } else {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
            File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
        }
    }
}

/// Waits until changes made before can be told from later ones by their ctime.
fn settle(reference: &TestHost) {
    let ctime = |name: &str| {
        fs::write(reference.at(name), "now").unwrap();
        let meta = fs::metadata(reference.at(name)).unwrap();
        i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec())
    };
    let done = ctime("clock");
    while ctime("clock") < done + 20_000_000 {
        std::thread::yield_now();
    }
}

/// A host with the first build, copied there by something else, and the second build to push.
fn copied_before() -> (TestHost, Source) {
    let reference = TestHost::new();
    reference.write("host", &BEFORE);
    reference.write("source", &AFTER);
    fix_times(&reference.at("host"));
    fix_times(&reference.at("source"));
    settle(&reference);
    let source = reference.scan("source");
    (reference, source)
}

#[test]
fn a_first_push_sees_changes_that_keep_size_and_time_and_reads_each_file_once() {
    let (reference, source) = copied_before();
    let report = reference.push(&source, "host", None);
    assert_eq!(reference.files("host"), files(&AFTER));
    assert_eq!((report.plan.kept_files, report.files_sent), (1, 2));
    assert_eq!(report.agent_files_read, 3);
    let again = reference.push(&source, "host", None);
    assert_eq!((again.plan.actions.len(), again.agent_files_read), (0, 0));
}

#[test]
fn a_first_push_of_the_same_build_with_new_times_reads_each_file_once() {
    let (reference, _) = copied_before();
    let fresh = reference.write("source", &BEFORE);
    let report = reference.push(&fresh, "host", None);
    assert_eq!((report.files_sent, report.plan.actions.len()), (0, 3));
    assert_eq!(report.agent_files_read, 3);
    assert_eq!(reference.push(&fresh, "host", None).agent_files_read, 0);
}

#[test]
fn a_dry_run_and_a_deploy_compare_the_same_way() {
    let (reference, source) = copied_before();
    let mut connection = reference.connection(None);
    connection.dry_run = true;
    let target = reference.target("host");
    let report =
        push(&source, &target, &connection, &reference.options, &reference.notices).unwrap();
    assert_eq!((report.plan.kept_files, report.files_sent), (1, 2));
    assert_eq!(reference.files("host"), files(&BEFORE));
    reference.deploy(&source, "host", None, Decision::default());
    assert_eq!(reference.files("host"), files(&AFTER));
}

#[test]
fn sizes_alone_decide_if_that_is_wanted() {
    let (mut reference, source) = copied_before();
    reference.options.policy.size_only = true;
    assert_eq!(reference.push(&source, "host", None).plan.actions.len(), 0);
    assert_eq!(reference.files("host"), files(&BEFORE));
    // It is not taken for compared from now on.
    reference.options.policy.size_only = false;
    assert_eq!(reference.push(&source, "host", None).files_sent, 2);
    assert_eq!(reference.files("host"), files(&AFTER));
}

#[test]
fn a_lost_index_is_made_up_for_by_reading() {
    let (reference, source) = copied_before();
    reference.push(&source, "host", None);
    fs::remove_file(reference.at(".assetsync-host/index")).unwrap();
    reference.write("behind", &BEFORE);
    fix_times(&reference.at("behind"));
    fs::copy(reference.at("behind/app.js"), reference.at("host/app.js")).unwrap();
    fix_times(&reference.at("host"));
    reference.push(&source, "host", None);
    assert_eq!(reference.files("host"), files(&AFTER));
}

#[test]
fn the_room_for_a_destination_that_does_not_exist_is_that_of_the_directory_above() {
    let reference = TestHost::new();
    let free = reference.survey("none/below/none", None).statistics.free_bytes.unwrap();
    let stat = Command::new("stat").args(["-f", "-c", "%S %b"]).arg(reference.at("")).output();
    let stat = String::from_utf8(stat.unwrap().stdout).unwrap();
    let all: u64 = stat.split_whitespace().map(|word| word.parse::<u64>().unwrap()).product();
    assert!(free <= all, "{free} of {all}");
}
