use super::*;
use crate::history::fixtures::{Host, at, directory, file, path, policy, remote, tree};

fn host() -> Host {
    let mut host = Host::default();
    let all = policy(9, u64::MAX);
    host.deploy(&tree(&["app-1.js=1", "index.html=3"]), &all, at(10));
    host.deploy(&tree(&["app-2.js=2", "index.html=2", "manifest-1111.json=4"]), &all, at(20));
    host
}

#[test]
fn an_untouched_destination() {
    let host = host();
    let status =
        status(&host.history, &host.existing, &host.retained_contents, &policy(2, 0), at(30));
    assert_eq!(status.live.map(|live| live.published), Some(20));
    assert_eq!(
        status.kept.iter().map(|kept| (kept.files, kept.missing)).collect::<Vec<_>>(),
        [(2, 0), (3, 0)]
    );
    assert_eq!((status.retained_files, status.retained_bytes), (1, 100));
    assert_eq!((status.unmanaged_files, status.prunable_files), (0, 0));
    assert_eq!((status.drift, status.stale_manifests), (vec![], vec![]));
}

#[test]
fn changes_by_hand() {
    let mut host = host();
    host.existing.retain(|remote| remote.entry.path != path("app-2.js"));
    for entry in &mut host.existing {
        if entry.entry.path == path("index.html") {
            *entry = remote(&file("index.html", 9));
        }
        if entry.entry.path == path("manifest-1111.json") {
            entry.entry.mode = 0o600;
        }
    }
    host.existing.extend([
        directory("uploads"),
        remote(&file("uploads/x.png", 7)),
        remote(&file("manifest-0000.json", 8)),
    ]);
    host.sort();
    let status = status(&host.history, &host.existing, &[], &policy(2, 0), at(30));
    let expected = [
        ("app-2.js", Drift::Missing),
        ("index.html", Drift::Changed),
        ("manifest-1111.json", Drift::Mode),
    ];
    assert_eq!(status.drift, expected.map(|(name, drift)| (path(name), drift)));
    assert_eq!(status.unmanaged_files, 1);
    assert_eq!(status.stale_manifests, [path("manifest-0000.json")]);
    // Nothing was retained, so the old page does not exist any more.
    assert_eq!(status.kept.iter().map(|kept| kept.missing).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn old_deploys_are_not_kept_for_ever() {
    let host = host();
    let status =
        status(&host.history, &host.existing, &host.retained_contents, &policy(1, 5), at(30));
    assert_eq!(status.kept.len(), 1);
    assert_eq!((status.retained_files, status.prunable_files), (0, 1));
}

#[test]
fn before_the_first_deploy() {
    let existing = [remote(&file("app.js", 1))];
    let none = History::new();
    let status = status(&none, &existing, &[], &policy(2, 0), at(30));
    assert_eq!((status.live, status.kept.len(), status.unmanaged_files), (None, 0, 1));
}
