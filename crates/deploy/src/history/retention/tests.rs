use super::*;
use crate::history::fixtures::{Host, at, directory, file, path, policy, remote, tree};

const DAY: i64 = 86_400;

/// Three deploys, on the days 0, 10 and 20, that nothing was pruned between.
fn three() -> Host {
    let mut host = Host::default();
    let all = policy(9, u64::MAX);
    host.deploy(&tree(&["app-1.js", "app-1.js.gz", "lib-1.js", "robots.txt=1"]), &all, at(0));
    host.deploy(
        &tree(&["app-2.js", "app-2.js.gz", "lib-1.js", "robots.txt=1"]),
        &all,
        at(10 * DAY),
    );
    host.deploy(&tree(&["app-3.js", "lib-3.js", "robots.txt=1"]), &all, at(20 * DAY));
    host
}

fn removed(retention: &Retention) -> Vec<String> {
    retention.removed().map(|(path, why)| format!("{path} {why:?}")).collect()
}

fn disposition(
    host: &Host,
    wanted: &Tree,
    policy: &RetentionPolicy,
    name: &str,
) -> Option<Disposition> {
    let made = retention(&host.history, wanted, &host.existing, policy, at(30 * DAY));
    made.disposition(&path(name))
}

#[test]
fn both_keep_and_age_must_let_go() {
    let host = three();
    let wanted = tree(&["app-4.js"]);
    let day = DAY as u64;
    // On day 30: deploy 0 ended 20 days ago, deploy 1 ended 10 days ago, deploy 2 ends now.
    let table: [(u32, u64, &[&str]); 9] = [
        (9, 0, &[]),
        (1, 99 * day, &[]),
        (1, 20 * day + 1, &[]),
        (1, 20 * day, &["app-1.js", "app-1.js.gz"]),
        (1, 10 * day, &["app-1.js", "app-1.js.gz", "app-2.js", "app-2.js.gz", "lib-1.js"]),
        (2, 0, &["app-1.js", "app-1.js.gz", "app-2.js", "app-2.js.gz", "lib-1.js"]),
        (3, 0, &["app-1.js", "app-1.js.gz"]),
        (4, 0, &[]),
        (3, 30 * day, &[]),
    ];
    for (keep, max_age, expected) in table {
        let made =
            retention(&host.history, &wanted, &host.existing, &policy(keep, max_age), at(30 * DAY));
        let expected: Vec<String> = expected.iter().map(|name| format!("{name} Expired")).collect();
        assert_eq!(removed(&made), expected, "keep {keep}, max_age {max_age}");
    }
}

#[test]
fn with_keep_of_one_only_the_wanted_tree_is_sure() {
    let host = three();
    for keep in [0, 1] {
        let wanted = tree(&["app-4.js", "robots.txt=1"]);
        let made =
            retention(&host.history, &wanted, &host.existing, &policy(keep, 0), at(30 * DAY));
        assert_eq!(made.removed().count(), host.existing.len() - 1);
        assert_eq!(made.first_kept, 3);
        let live = host.history.tree(2);
        let made = retention(&host.history, &live, &host.existing, &policy(keep, 0), at(30 * DAY));
        assert_eq!(made.first_kept, 2);
    }
}

#[test]
fn the_same_tree_again_counts_once() {
    let mut host = three();
    let again = host.history.tree(2);
    for hour in 1..5 {
        host.deploy(&again, &policy(2, 0), at(20 * DAY + hour * 3600));
    }
    assert!(host.names().contains(&"app-2.js".to_owned()), "{:?}", host.names());
    assert!(!host.names().contains(&"app-1.js".to_owned()), "{:?}", host.names());
}

#[test]
fn siblings_follow_their_file() {
    let mut host = three();
    // Compressed on the host.
    host.existing.extend(["app-1.js.br", "app-3.js.br", "x.js.gz"].map(|n| remote(&file(n, 9))));
    host.sort();
    let live = host.history.tree(2);
    let table = [
        (9, "app-1.js.br", Disposition::Retain(RetainReason::Used { deploy: 0 })),
        (1, "app-1.js.br", Disposition::Remove(RemoveReason::Expired)),
        (1, "app-3.js.br", Disposition::Retain(RetainReason::Sibling)),
        (1, "x.js.gz", Disposition::Retain(RetainReason::Unmanaged)),
    ];
    for (keep, name, expected) in table {
        assert_eq!(disposition(&host, &live, &policy(keep, 0), name), Some(expected), "{name}");
    }
}

#[test]
fn stale_siblings_are_removed_when_publishing() {
    let mut host = Host::default();
    let with_siblings = ["index.html=1", "index.html.gz=1", "sw.js=1", "sw.js.map=1"];
    host.deploy(&tree(&with_siblings), &policy(9, 0), at(0));
    host.existing.push(remote(&file("sw.js.br", 7)));
    host.sort();
    let changed = tree(&["index.html=2", "sw.js=1"]);
    let table = [
        ("index.html.gz", Disposition::Remove(RemoveReason::StaleSibling)),
        ("sw.js.map", Disposition::Retain(RetainReason::Sibling)),
        ("sw.js.br", Disposition::Retain(RetainReason::Sibling)),
    ];
    for (name, expected) in table {
        assert_eq!(disposition(&host, &changed, &policy(9, 0), name), Some(expected), "{name}");
    }
    assert!(RemoveReason::StaleSibling.at_publishing());
    let changed = tree(&["index.html=1", "sw.js=2"]);
    let stale = Some(Disposition::Remove(RemoveReason::StaleSibling));
    assert_eq!(disposition(&host, &changed, &policy(9, 0), "sw.js.br"), stale);
}

#[test]
fn one_manifest_is_live() {
    let mut host = Host::default();
    let all = policy(9, u64::MAX);
    host.deploy(&tree(&[".sprockets-manifest-aaaa.json", "packs/manifest-1111.json"]), &all, at(0));
    // Left by a build on the server, before there was any deploy.
    let unmanaged = [
        ".sprockets-manifest-bbbb.json",
        ".sprockets-manifest-bbbb.json.gz",
        "other/.sprockets-manifest-cccc.json",
    ];
    host.existing.extend(unmanaged.map(|name| remote(&file(name, 5))));
    host.sort();
    let wanted = tree(&[".sprockets-manifest-dddd.json", "app.js"]);
    let stale = Some(Disposition::Remove(RemoveReason::StaleManifest));
    let table = [
        (".sprockets-manifest-aaaa.json", stale),
        (".sprockets-manifest-bbbb.json", stale),
        (".sprockets-manifest-bbbb.json.gz", stale),
        ("packs/manifest-1111.json", stale),
        ("other/.sprockets-manifest-cccc.json", Some(Disposition::Retain(RetainReason::Unmanaged))),
        (".sprockets-manifest-dddd.json", None),
    ];
    for (name, expected) in table {
        assert_eq!(disposition(&host, &wanted, &all, name), expected, "{name}");
    }
    assert!(RemoveReason::StaleManifest.at_publishing());
    let again = tree(&[".sprockets-manifest-bbbb.json=5"]);
    let beside = Some(Disposition::Retain(RetainReason::Sibling));
    assert_eq!(disposition(&host, &again, &all, ".sprockets-manifest-bbbb.json.gz"), beside);
}

#[test]
fn mirrors_and_unmanaged_files() {
    let mut host = three();
    host.existing.extend([directory("uploads"), remote(&file("uploads/logo.png", 1))]);
    host.sort();
    let live = host.history.tree(2);
    let mirror = RetentionPolicy { delete: Delete::Mirror, ..policy(9, u64::MAX) };
    let made = retention(&host.history, &live, &host.existing, &mirror, at(20 * DAY));
    assert_eq!(made.removed().count(), host.existing.len() - live.files().len());
    let asked = RetentionPolicy { unmanaged: UnmanagedFiles::Remove, ..policy(9, u64::MAX) };
    let made = retention(&host.history, &live, &host.existing, &asked, at(20 * DAY));
    assert_eq!(removed(&made), ["uploads Emptied", "uploads/logo.png Unmanaged"]);
    let left = retention(&host.history, &live, &host.existing, &policy(9, u64::MAX), at(20 * DAY));
    assert_eq!(removed(&left), [""; 0]);
}

#[test]
fn obstructing_paths_are_removed() {
    let mut host = Host::default();
    host.deploy(&tree(&["a/b/c.js", "d"]), &policy(9, u64::MAX), at(0));
    host.existing.extend([directory("a"), directory("a/b"), directory("empty")]);
    host.sort();
    let wanted = tree(&["a/b", "d/e.js"]);
    let made = retention(&host.history, &wanted, &host.existing, &policy(9, u64::MAX), at(DAY));
    let expected = ["a/b Obstruction", "a/b/c.js Obstruction", "d Obstruction"];
    assert_eq!(removed(&made), expected);
    assert!(made.removed().all(|(_, why)| why.at_publishing()));
}

#[test]
fn emptied_directories_go() {
    let mut host = Host::default();
    host.deploy(&tree(&["old/deep/a.js", "both/b.js"]), &policy(1, 0), at(0));
    let directories = ["old", "old/deep", "both", "empty"].map(directory);
    host.existing.extend(directories);
    host.sort();
    let made =
        retention(&host.history, &tree(&["both/c.js"]), &host.existing, &policy(1, 0), at(DAY));
    let expected =
        ["both/b.js Expired", "old Emptied", "old/deep Emptied", "old/deep/a.js Expired"];
    assert_eq!(removed(&made), expected);
}

#[test]
fn files_of_forgotten_deploys_still_go() {
    let mut host = three();
    for (name, day) in [("app-4.js", 30), ("app-5.js", 31)] {
        // Published, and forgotten, but the host died before anything was removed.
        let before = host.existing.clone();
        host.deploy(&tree(&[name]), &policy(1, 0), at(day * DAY));
        host.existing.extend(before);
        host.sort();
        assert!(host.history.last_use(&path("app-1.js")).is_none());
    }
    host.deploy(&tree(&["app-5.js"]), &policy(1, 0), at(32 * DAY));
    assert_eq!(host.names(), ["app-5.js"]);
}

/// Nothing may be removed while one of the clocks is right.
#[test]
fn wrong_clocks_remove_nothing() {
    let wanted = tree(&["app-4.js"]);
    let month = policy(1, 30 * DAY as u64);
    for host_now in [i64::MIN, 0, 5 * DAY, 25 * DAY, 9_999 * DAY, i64::MAX] {
        for now in [
            Clocks { host: host_now, sender: 25 * DAY },
            Clocks { host: 25 * DAY, sender: host_now },
        ] {
            let host = three();
            let made = retention(&host.history, &wanted, &host.existing, &month, now);
            assert_eq!(removed(&made), [""; 0], "{now:?}");
        }
    }
}
