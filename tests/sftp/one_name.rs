//! Destinations whose file system takes different spellings for one name.

use std::fs;
use std::path::Path;

use assetsync_sync::internals::NoMonitor;
use assetsync_sync::{PushError, Report};
use assetsync_testbed::tree::Tree;
use assetsync_testbed::{Inodes, OneName};

use super::{Host, How, code, differences, file, link, tree_of, written};
use crate::support::OrFail;

fn push(host: &Host, mount: &OneName, tree: &Tree) -> Result<Report, PushError> {
    let source = written(tree);
    host.push_so(source.path(), &mount.path().join("assets"), &How::default(), &NoMonitor)
}

#[track_caller]
fn assert_stored(mount: &OneName, tree: &Tree) {
    let stored = mount.stored().join("assets");
    assert_eq!(differences(written(tree).path(), &stored), Vec::<String>::new());
}

fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).or_fail().map(|item| item.or_fail().file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn what_changes_its_spelling_only_is_not_deleted() {
    let mut before = tree_of(&["Caf\u{e9}.css", "Img/Sub/b.png", "Img/a.png", "Logo.png"], "1");
    before.insert(b"gone.js", file(b"gone"));
    before.insert(b"Link", link(b"Logo.png"));
    let mut after = tree_of(&["cafe\u{301}.css", "img/a.png", "img/sub/B.png", "logo.png"], "2");
    after.insert(b"img/a.png", file(b"another"));
    after.insert(b"link", link(b"logo.png"));
    for flags in ["", "-P posix-rename"] {
        let (host, mount) = (Host::new(flags), OneName::mount(Inodes::OfNames).or_fail());
        push(&host, &mount, &before).or_fail();
        assert_eq!(push(&host, &mount, &after).or_fail().deleted, 1, "{flags}");
        let stored = mount.stored().join("assets");
        let mut folded: Vec<_> = names(&stored).iter().map(|name| name.to_lowercase()).collect();
        folded.sort();
        assert_eq!(folded, ["cafe\u{301}.css", "img", "link", "logo.png"], "{flags}");
        if flags.is_empty() {
            assert_stored(&mount, &after);
            assert_eq!(push(&host, &mount, &after).or_fail().plan.actions, []);
        }
    }
}

#[test]
fn two_names_of_the_source_that_are_one_there_are_told_before_anything_changes() {
    let (host, mount) = (Host::new(""), OneName::mount(Inodes::OfNames).or_fail());
    let kept = tree_of(&["kept.js"], "1");
    push(&host, &mount, &kept).or_fail();
    for names in [["App.js", "app.js"], ["Img/a", "img/b"], ["kept.JS", "kept.js"]] {
        match push(&host, &mount, &tree_of(&names, "1")) {
            Err(PushError::OneName(pairs)) => assert_eq!(pairs.len(), 1, "{pairs:?}"),
            other => panic!("{names:?}: {other:?}"),
        }
        assert_stored(&mount, &kept);
    }
}

/// No table knows that this file system takes `-` and `_` for the same.
#[test]
fn nothing_is_deleted_beside_a_name_that_is_not_listed_as_it_was_published() {
    let (host, mount) = (Host::new(""), OneName::mount(Inodes::OfNames).or_fail());
    push(&host, &mount, &tree_of(&["a_b.js", "gone.js"], "1")).or_fail();
    let (_, error) = code(push(&host, &mount, &tree_of(&["a-b.js"], "2")));
    assert!(error.contains("a-b.js") && error.contains("nothing was deleted"), "{error}");
    let stored = mount.stored().join("assets");
    assert_eq!(names(&stored), ["a_b.js", "gone.js"]);
    assert_eq!(fs::read(stored.join("a_b.js")).or_fail(), b"2 a-b.js");
}
