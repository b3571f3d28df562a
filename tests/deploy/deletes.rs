//! What a deploy keeps for visitors, and what it deletes.

use std::fs;

use super::{done, names, version};
use crate::fleet::Fleet;
use crate::support::OrFail;

#[test]
fn old_files_stay_for_visitors_until_retention_lets_them_go() {
    let fleet = Fleet::of(1);
    fleet.configure("assets.retention = { keep = 1, max_age = \"0s\" }\n");
    let assets = fleet.hosts[0].assets();
    for n in 1..=4 {
        version(&fleet, n);
        fleet.json("deploy production");
        let mut expected: Vec<String> = (n.max(2) - 1..=n)
            .map(|n| format!("app-{n:08x}.js"))
            .chain(["same.css".to_owned(), format!(".sprockets-manifest-{n:032x}.json")])
            .collect();
        expected.sort();
        assert_eq!(names(&assets), expected, "after deploy {n}");
    }
    fs::write(assets.join("upload.png"), "by hand").or_fail();
    version(&fleet, 5);
    fleet.json("deploy production");
    assert!(assets.join("upload.png").exists(), "what no deploy brought is left alone");
}

#[test]
fn mirror_is_rsyncs_delete() {
    let fleet = Fleet::of(1);
    fleet.configure("assets.delete = \"mirror\"\n");
    let foreign = fleet.hosts[0].assets().join("foreign.txt");
    for n in 1..=2 {
        version(&fleet, n);
        fleet.json("deploy production");
        fleet.assert_serves(&fleet.built());
        fs::write(&foreign, "x").or_fail();
    }
    fleet.json("deploy production");
    assert!(!foreign.exists());
}

#[test]
fn mirror_deletes_nothing_foreign_on_first_contact_and_then_no_host_is_touched() {
    let fleet = Fleet::of(2);
    fleet.configure("assets.delete = \"mirror\"\n");
    let foreign = fleet.hosts[1].assets().join("foreign.txt");
    fs::create_dir_all(fleet.hosts[1].assets()).or_fail();
    fs::write(&foreign, "x").or_fail();
    version(&fleet, 1);
    for words in ["deploy production --dry-run", "deploy production", "push production"] {
        let ran = fleet.run(words);
        assert_eq!(ran.code(), Some(1), "{words}: {}", ran.stderr());
        for expected in ["web2: No push to this directory", "foreign.txt", "assets.delete=retain"] {
            assert!(ran.stderr().contains(expected), "{words}: {}", ran.stderr());
        }
        assert_eq!(names(&fleet.hosts[1].assets()), ["foreign.txt"], "{words}");
        assert!(!fleet.hosts[0].assets().join("same.css").exists(), "{words}");
    }
    fleet.json("deploy production --set assets.delete=retain");
    assert!(foreign.exists());
    fleet.json("deploy production");
    fleet.assert_serves(&fleet.built());
}

#[test]
fn a_mirroring_deploy_that_deletes_most_of_what_is_live_is_refused_until_the_number_is_allowed() {
    let fleet = Fleet::of(1);
    fleet.configure("assets.delete = \"mirror\"\n");
    let pages: Vec<String> = (0..30).map(|number| format!("page{number}.html")).collect();
    let all: Vec<_> = pages.iter().map(|name| (name.as_str(), "page")).collect();
    fleet.build(&all);
    fleet.json("deploy production");
    let before = names(&fleet.hosts[0].assets());
    fleet.build(&[("page0.html", "page"), ("new.html", "new")]);
    for (words, said) in [
        ("deploy production", "web1: 29 of 30 files"),
        ("deploy production --dry-run", "web1: 29 of 30 files"),
        ("push production", "web1: 29 of 30 files"),
        ("deploy production --max-delete 28", "29 paths would be deleted, 28 are allowed"),
    ] {
        let ran = fleet.run(words);
        assert_eq!(ran.code(), Some(1), "{words}: {}", ran.stderr());
        for expected in [said, "--max-delete", "assets.delete=retain"] {
            assert!(ran.stderr().contains(expected), "{words}: {}", ran.stderr());
        }
        assert_eq!(names(&fleet.hosts[0].assets()), before, "{words}");
    }
    let ran = fleet.run("push production --max-delete 29");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    fleet.assert_serves(&fleet.built());
}

#[test]
fn prune_says_what_it_deletes_and_a_dry_run_what_it_would() {
    let fleet = Fleet::of(1);
    let keep = |keep: u32| {
        fleet.configure(&format!(
            "assets.retention.keep = {keep}\nassets.retention.max_age = \"0s\"\n"
        ));
    };
    keep(5);
    for n in 1..=3 {
        version(&fleet, n);
        fleet.json("deploy production");
    }
    keep(0);
    let bytes: u64 = (1..=2)
        .flat_map(|n| [format!("app-{n:08x}.js"), format!(".sprockets-manifest-{n:032x}.json")])
        .filter_map(|name| fs::metadata(fleet.hosts[0].assets().join(name)).ok())
        .map(|meta| meta.len())
        .sum();
    let dry = fleet.run("prune production --dry-run");
    assert!(dry.stdout().contains("old files would be deleted, "), "{}", dry.stdout());
    let events = fleet.json("prune production --dry-run");
    let planned = done(&events)[0].clone();
    assert_eq!(planned["bytes_deleted"], bytes, "{planned}");
    assert!(fleet.hosts[0].assets().join("app-00000001.js").exists());
    let ran = fleet.run("prune production");
    assert!(ran.stdout().contains("old files deleted, "), "{}", ran.stdout());
    assert!(!fleet.hosts[0].assets().join("app-00000001.js").exists());
    let again = fleet.run("prune production");
    assert!(again.stdout().contains("web1: 0 old files deleted, 0 B"), "{}", again.stdout());
}
