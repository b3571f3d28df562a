//! What a source holds and is not pushed is named, in words and as JSON, by pushes and by deploys.

use std::fs;
use std::path::Path;

use assetsync_sync::{About, Policy, Source};

use crate::fleet::{Fleet, events};
use crate::support::{Machine, OrFail, Ran, Way, scratch, text};

/// Names of work directories, at two depths, as a directory and as a file; and a name that only
/// begins like one.
fn furnish(source: &Path) {
    fs::create_dir_all(source.join(".assetsync-store/packs")).or_fail();
    fs::create_dir_all(source.join("deep")).or_fail();
    for file in [".assetsync-store/packs/1", "deep/.assetsync", ".assetsyncrc", "app.js"] {
        fs::write(source.join(file), file).or_fail();
    }
}

/// What is told of each, and of nothing below it.
const TOLD: [&str; 2] =
    [".assetsync-store is not pushed: .assetsync", "deep/.assetsync is not pushed: .assetsync"];

#[test]
fn names_of_work_directories_are_told() {
    let (machine, dir) = (Machine::new(), scratch());
    let (source, place) = (dir.path().join("source"), dir.path().join("place"));
    furnish(&source);
    let words = ["push".to_owned(), text(&source), text(&place)];
    let ran = machine.run(words);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let said = ran.stderr();
    assert_eq!(said.matches("is not pushed").count(), 2, "{said}");
    TOLD.iter().for_each(|told| assert!(said.contains(&format!("warning: {told}")), "{said}"));
    assert!(place.join(".assetsyncrc").exists());
    assert!(!place.join(".assetsync-store").exists());
}

fn notices(ran: &Ran) -> Vec<String> {
    let events = events(ran);
    let notices = events.iter().filter(|event| event["event"] == "notice");
    notices.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn names_of_work_directories_are_told_to_programs() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = dir.path().join("source");
    furnish(&source);
    let ran = machine.try_push(&Way::local(&dir.path().join("place")), &[], &source);
    let notices = notices(&ran);
    assert_eq!(notices.len(), 2, "{notices:?}");
    for (notice, told) in notices.iter().zip(TOLD) {
        assert!(notice.starts_with(told), "{notice}");
    }
}

#[test]
fn what_a_filter_leaves_out_is_not_told() {
    let (machine, dir) = (Machine::new(), scratch());
    let source = dir.path().join("source");
    furnish(&source);
    let way = Way::local(&dir.path().join("place"));
    let ran = machine.try_push(&way, &["--exclude", ".assetsync*"], &source);
    assert_eq!(notices(&ran), Vec::<String>::new());
}

#[test]
fn deploys_tell_what_they_do_not_carry() {
    let fleet = Fleet::of(1);
    furnish(&fleet.built());
    let socket = std::os::unix::net::UnixListener::bind(fleet.built().join("socket")).or_fail();
    let ran = fleet.run("deploy production");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    let special = "public/assets: socket is a FIFO, socket or device";
    for told in TOLD.iter().map(|told| format!("public/assets: {told}")).chain([special.into()]) {
        assert!(ran.stderr().contains(&told), "{told}: {}", ran.stderr());
    }
    let ran = fleet.run("deploy production --dry-run --json");
    assert_eq!(notices(&ran).len(), 3, "{}", ran.stdout());
    drop(socket);
}

#[test]
fn a_source_lists_what_it_leaves_out() {
    let dir = scratch();
    furnish(dir.path());
    let source = Source::scan(dir.path(), &Policy::default()).or_fail();
    let left_out: Vec<_> =
        source.notices.iter().map(|one| (one.path.to_string(), one.about.clone())).collect();
    let expected = [".assetsync-store", "deep/.assetsync"];
    assert_eq!(left_out, expected.map(|path| (path.to_owned(), About::Reserved)));
}
