//! Destinations that something else made: what is known of them, and how their files are compared.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use assetsync_sync::compare::Rule;
use assetsync_sync::sender::{Decision, Source, push};

use crate::support::{Ground, files};

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
fn settle(ground: &Ground) {
    let ctime = |name: &str| {
        fs::write(ground.at(name), "now").unwrap();
        let meta = fs::metadata(ground.at(name)).unwrap();
        i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec())
    };
    let done = ctime("clock");
    while ctime("clock") < done + 20_000_000 {
        std::thread::yield_now();
    }
}

/// A host with the first build, copied there by something else, and the second build to push.
fn copied_before() -> (Ground, Source) {
    let ground = Ground::new();
    ground.write("host", &BEFORE);
    ground.write("source", &AFTER);
    fix_times(&ground.at("host"));
    fix_times(&ground.at("source"));
    settle(&ground);
    let source = ground.scan("source");
    (ground, source)
}

#[test]
fn a_first_push_sees_changes_that_keep_size_and_time_and_reads_each_file_once() {
    let (ground, source) = copied_before();
    let report = ground.push(&source, "host", None);
    assert_eq!(ground.files("host"), files(&AFTER));
    assert_eq!((report.plan.kept_files, report.files_sent), (1, 2));
    assert_eq!(report.agent_files_read, 3);
    let again = ground.push(&source, "host", None);
    assert_eq!((again.plan.actions.len(), again.agent_files_read), (0, 0));
}

#[test]
fn a_first_push_of_the_same_build_with_new_times_reads_each_file_once() {
    let (ground, _) = copied_before();
    let fresh = ground.write("source", &BEFORE);
    let report = ground.push(&fresh, "host", None);
    assert_eq!((report.files_sent, report.plan.actions.len()), (0, 3));
    assert_eq!(report.agent_files_read, 3);
    assert_eq!(ground.push(&fresh, "host", None).agent_files_read, 0);
}

#[test]
fn a_dry_run_and_a_deploy_compare_the_same_way() {
    let (ground, source) = copied_before();
    let mut connection = ground.connection(None);
    connection.dry_run = true;
    let target = ground.target("host");
    let report = push(&source, &target, &connection, &ground.options, &ground.notices).unwrap();
    assert_eq!((report.plan.kept_files, report.files_sent), (1, 2));
    assert_eq!(ground.files("host"), files(&BEFORE));
    ground.deploy(&source, "host", None, Decision::default());
    assert_eq!(ground.files("host"), files(&AFTER));
}

#[test]
fn sizes_alone_decide_if_that_is_wanted() {
    let (mut ground, source) = copied_before();
    ground.options.policy.rule = Rule::SizeOnly;
    assert_eq!(ground.push(&source, "host", None).plan.actions.len(), 0);
    assert_eq!(ground.files("host"), files(&BEFORE));
    // It is not taken for compared from now on.
    ground.options.policy.rule = Rule::Content;
    assert_eq!(ground.push(&source, "host", None).files_sent, 2);
    assert_eq!(ground.files("host"), files(&AFTER));
}

#[test]
fn a_lost_index_is_made_up_for_by_reading() {
    let (ground, source) = copied_before();
    ground.push(&source, "host", None);
    fs::remove_file(ground.at(".assetsync-host/index")).unwrap();
    ground.write("behind", &BEFORE);
    fix_times(&ground.at("behind"));
    fs::copy(ground.at("behind/app.js"), ground.at("host/app.js")).unwrap();
    fix_times(&ground.at("host"));
    ground.push(&source, "host", None);
    assert_eq!(ground.files("host"), files(&AFTER));
}

#[test]
fn the_room_for_a_destination_that_does_not_exist_is_that_of_the_directory_above() {
    let ground = Ground::new();
    let free = ground.survey("none/below/none", None).vitals.free_bytes.unwrap();
    let stat = Command::new("stat").args(["-f", "-c", "%S %b"]).arg(ground.at("")).output();
    let stat = String::from_utf8(stat.unwrap().stdout).unwrap();
    let all: u64 = stat.split_whitespace().map(|word| word.parse::<u64>().unwrap()).product();
    assert!(free <= all, "{free} of {all}");
}
