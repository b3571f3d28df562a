//! Destinations whose file system takes different spellings for one name: nothing that was published is deleted under
//! its old spelling, and two files that can't both be there are told of.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use assetsync_sync::proto::FailureCode;
use assetsync_sync::sender::{Decision, PushError, Report, When, push};
use assetsync_testbed::{Inodes, OneName};

use crate::support::{Ground, deleting, files};

/// A host on such a file system.
fn host(inodes: Inodes) -> (Ground, OneName) {
    let (mut ground, mount) = (Ground::new(), OneName::mount(inodes).unwrap());
    fs::create_dir(mount.path().join("assets")).unwrap();
    symlink(mount.path().join("assets"), ground.at("host")).unwrap();
    ground.options.policy.delete = true;
    (ground, mount)
}

/// Every file in the spelling that is stored.
fn stored(mount: &OneName) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(&mount.stored().join("assets"), "", &mut found);
    found
}

fn collect(dir: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), found);
        } else {
            found.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

fn try_push(ground: &Ground, name: &str) -> Result<Report, PushError> {
    let (source, target) = (ground.scan(name), ground.target("host"));
    push(&source, &target, &ground.connection(None), &ground.options, &ground.notices)
}

#[test]
fn what_changes_its_spelling_only_is_not_deleted() {
    let before = [
        ("Caf\u{e9}.css", "css"),
        ("Img/Sub/b.png", "b"),
        ("Img/a.png", "a"),
        ("Logo.png", "logo"),
        ("app.js", "1"),
        ("gone.js", "gone"),
    ];
    let after = [
        ("app.js", "1"),
        ("cafe\u{301}.css", "css"),
        ("img/a.png", "another a"),
        ("img/sub/B.png", "b"),
        ("logo.png", "logo"),
    ];
    for inodes in [Inodes::Stored, Inodes::OfNames] {
        let (ground, mount) = host(inodes);
        ground.push(&ground.write("source", &before), "host", None);
        let source = ground.write("source", &after);
        let mut dry = ground.connection(None);
        dry.dry_run = true;
        let target = ground.target("host");
        let planned = push(&source, &target, &dry, &ground.options, &ground.notices).unwrap();
        assert_eq!(planned.deleted, 1, "{inodes:?}");
        assert_eq!(stored(&mount), files(&before), "{inodes:?}");
        assert_eq!(ground.push(&source, "host", None).deleted, 1, "{inodes:?}");
        assert_eq!(stored(&mount), files(&after), "{inodes:?}");
        assert_eq!(ground.push(&source, "host", None).plan.actions, [], "{inodes:?}");
        assert_eq!(ground.notices.take(), Vec::<String>::new());
    }
}

#[test]
fn a_link_changes_its_spelling_and_without_deletes_nothing_is_lost_either() {
    let (mut ground, mount) = host(Inodes::Stored);
    ground.options.policy.delete = false;
    ground.write("source", &[("app.js", "1"), ("Old.js", "old")]);
    symlink("app.js", ground.at("source/Link")).unwrap();
    ground.push(&ground.scan("source"), "host", None);
    ground.write("source", &[("App.js", "two")]);
    symlink("App.js", ground.at("source/link")).unwrap();
    ground.push(&ground.scan("source"), "host", None);
    let expected = files(&[("App.js", "two"), ("Old.js", "old"), ("link", "two")]);
    assert_eq!(stored(&mount), expected);
}

#[test]
fn two_names_of_the_source_that_are_one_there_are_told_before_anything_changes() {
    for sources in [
        &[("App.js", "upper"), ("app.js", "lower")][..],
        &[("Img/a.png", "a"), ("img/b.png", "b")],
        &[("caf\u{e9}", "composed"), ("cafe\u{301}", "decomposed")],
        &[("kept.JS", "upper"), ("kept.js", "kept")],
    ] {
        let (ground, mount) = host(Inodes::OfNames);
        ground.push(&ground.write("source", &[("kept.js", "kept")]), "host", None);
        ground.write("source", sources);
        match try_push(&ground, "source") {
            Err(PushError::OneName(pairs)) => assert_eq!(pairs.len(), 1, "{pairs:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(stored(&mount), files(&[("kept.js", "kept")]));
    }
}

#[test]
fn a_deploy_and_its_pruning_keep_what_is_spelled_anew() {
    let (ground, mount) = host(Inodes::OfNames);
    ground.deploy(&ground.write("source", &[("Logo.png", "1")]), "host", None, Decision::default());
    let source = ground.write("source", &[("logo.png", "2"), ("new.js", "new")]);
    for when in [When::Pruning, When::Publishing] {
        ground.deploy(&source, "host", None, deleting(&[("Logo.png", when)]));
        assert_eq!(stored(&mount), files(&[("logo.png", "2"), ("new.js", "new")]));
    }
}

/// No table knows that this file system takes `-` and `_` for the same.
#[test]
fn a_spelling_that_nobody_suspects_costs_nothing_either() {
    let (ground, mount) = host(Inodes::OfNames);
    ground.push(&ground.write("source", &[("a_b.js", "1")]), "host", None);
    ground.write("source", &[("a-b.js", "1")]);
    match try_push(&ground, "source") {
        Err(PushError::Agent(failure)) => {
            assert_eq!(failure.code, FailureCode::InTheWay, "{failure}");
            assert!(failure.text.contains("a-b.js"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stored(&mount), files(&[("a_b.js", "1")]));
    ground.write("source", &[("c-d.js", "minus"), ("c_d.js", "low line")]);
    match try_push(&ground, "source") {
        Err(PushError::Agent(failure)) => assert!(failure.text.contains("c_d.js"), "{failure}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stored(&mount), files(&[("a_b.js", "1"), ("c-d.js", "minus")]));
}
