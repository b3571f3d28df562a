//! Destinations whose file system takes different spellings for one name: nothing that was
//! published is deleted under its old spelling, and two files that can't both be there are told of.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use assetsync_core::protocol::FailureCode;
use assetsync_sync::internals::push;
use assetsync_sync::{Decision, DeleteAt, PushError, Report};
use assetsync_testbed::{Inodes, OneName};

use crate::support::{TestHost, deleting, files};

/// A host on such a file system.
fn host(inodes: Inodes) -> (TestHost, OneName) {
    let (mut reference, mount) = (TestHost::new(), OneName::mount(inodes).unwrap());
    fs::create_dir(mount.path().join("assets")).unwrap();
    symlink(mount.path().join("assets"), reference.at("host")).unwrap();
    reference.options.policy.delete = true;
    (reference, mount)
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

fn try_push(reference: &TestHost, name: &str) -> Result<Report, PushError> {
    let (source, target) = (reference.scan(name), reference.target("host"));
    push(&source, &target, &reference.connection(None), &reference.options, &reference.notices)
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
        let (reference, mount) = host(inodes);
        reference.push(&reference.write("source", &before), "host", None);
        let source = reference.write("source", &after);
        let mut dry = reference.connection(None);
        dry.dry_run = true;
        let target = reference.target("host");
        let planned = push(&source, &target, &dry, &reference.options, &reference.notices).unwrap();
        assert_eq!(planned.deleted, 1, "{inodes:?}");
        assert_eq!(stored(&mount), files(&before), "{inodes:?}");
        assert_eq!(reference.push(&source, "host", None).deleted, 1, "{inodes:?}");
        assert_eq!(stored(&mount), files(&after), "{inodes:?}");
        assert_eq!(reference.push(&source, "host", None).plan.actions, [], "{inodes:?}");
        assert_eq!(reference.notices.take(), Vec::<String>::new());
    }
}

#[test]
fn a_link_changes_its_spelling_and_without_deletes_nothing_is_lost_either() {
    let (mut reference, mount) = host(Inodes::Stored);
    reference.options.policy.delete = false;
    reference.write("source", &[("app.js", "1"), ("Old.js", "old")]);
    symlink("app.js", reference.at("source/Link")).unwrap();
    reference.push(&reference.scan("source"), "host", None);
    reference.write("source", &[("App.js", "two")]);
    symlink("App.js", reference.at("source/link")).unwrap();
    reference.push(&reference.scan("source"), "host", None);
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
        let (reference, mount) = host(Inodes::OfNames);
        reference.push(&reference.write("source", &[("kept.js", "kept")]), "host", None);
        reference.write("source", sources);
        match try_push(&reference, "source") {
            Err(PushError::OneName(pairs)) => assert_eq!(pairs.len(), 1, "{pairs:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(stored(&mount), files(&[("kept.js", "kept")]));
    }
}

#[test]
fn a_deploy_and_its_pruning_keep_what_is_spelled_anew() {
    let (reference, mount) = host(Inodes::OfNames);
    reference.deploy(
        &reference.write("source", &[("Logo.png", "1")]),
        "host",
        None,
        Decision::default(),
    );
    let source = reference.write("source", &[("logo.png", "2"), ("new.js", "new")]);
    for when in [DeleteAt::Pruning, DeleteAt::Publishing] {
        reference.deploy(&source, "host", None, deleting(&[("Logo.png", when)]));
        assert_eq!(stored(&mount), files(&[("logo.png", "2"), ("new.js", "new")]));
    }
}

/// No table knows that this file system takes `-` and `_` for the same.
#[test]
fn a_spelling_that_nobody_suspects_costs_nothing_either() {
    let (reference, mount) = host(Inodes::OfNames);
    reference.push(&reference.write("source", &[("a_b.js", "1")]), "host", None);
    reference.write("source", &[("a-b.js", "1")]);
    match try_push(&reference, "source") {
        Err(PushError::Agent(failure)) => {
            assert_eq!(failure.code, FailureCode::Obstruction, "{failure}");
            assert!(failure.text.contains("a-b.js"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stored(&mount), files(&[("a_b.js", "1")]));
    reference.write("source", &[("c-d.js", "minus"), ("c_d.js", "low line")]);
    match try_push(&reference, "source") {
        Err(PushError::Agent(failure)) => assert!(failure.text.contains("c_d.js"), "{failure}"),
        other => panic!("{other:?}"),
    }
    // The first of the two is taken back.
    assert_eq!(stored(&mount), files(&[("a_b.js", "1")]));
}
