//! Destinations that no push has completed before, and those in which nothing may be deleted.

use super::*;

#[test]
fn a_work_directory_of_somebody_else_is_not_used() {
    let host = Host::new("");
    let (assets, trap) = (host.assets(), host.place.path().join("site/.assetsync-assets"));
    fs::create_dir_all(&trap).or_fail();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o777)).or_fail();
    std::os::unix::fs::chown(&trap, Some(65534), None)
        .expect("this test gives files away: run it as root");
    let source = written(&tree_of(&["a"], "x"));
    host.push(source.path()).or_fail();
    assert_eq!(names_in(&assets.join(".assetsync")), ["pushed"]);
    fs::remove_dir_all(assets.join(".assetsync")).or_fail();
    assert_same(source.path(), &assets);
    assert_eq!(fs::read_dir(&trap).or_fail().count(), 0);
}

/// A push that does not say how much may be deleted.
fn careful() -> How {
    How { max_delete: None, ..How::default() }
}

#[test]
fn on_first_contact_nothing_foreign_is_deleted() {
    let host = Host::new("");
    let push = |source: &Path, how: &How| host.push_so(source, &host.assets(), how, &NoMonitor);
    tree_of(&["app-77b01d5e.js", "site/index.html"], "old").write_to(&host.assets()).or_fail();
    let before = snapshot(host.place.path()).or_fail();
    let source = written(&tree_of(&["app-3f2a91c0.js"], "new"));
    for _ in 0..2 {
        let refused = push(source.path(), &careful());
        let Err(PushError::Refused(Refusal::Foreign(foreign))) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((foreign.planned, foreign.count), (3, 1));
        assert_eq!(foreign.examples[0].to_string(), "site/index.html");
        assert_untouched(&before, host.place.path());
    }
    let looked = push(source.path(), &How { dry_run: true, ..careful() }).or_fail();
    assert!(looked.refused.is_some() && looked.deleted == 3, "{looked:?}");
    // Without what is foreign there, earlier versions go, and from then on everything may.
    fs::remove_dir_all(host.assets().join("site")).or_fail();
    push(source.path(), &careful()).or_fail();
    assert_same(source.path(), &host.assets());
    fs::write(host.assets().join("foreign"), "x").or_fail();
    push(source.path(), &careful()).or_fail();
    assert_same(source.path(), &host.assets());
}

#[test]
fn a_push_that_had_nothing_to_do_counts_as_well() {
    let host = Host::new("");
    let tree = tree_of(&["a", "gone"], "x");
    tree.write_to(&host.assets()).or_fail();
    let (same, less) = (written(&tree), written(&tree_of(&["a"], "x")));
    for source in [same.path(), less.path()] {
        host.push_so(source, &host.assets(), &careful(), &NoMonitor).or_fail();
        assert_same(source, &host.assets());
        assert_clean(&host.assets());
    }
}

#[test]
fn nothing_is_deleted_where_sessions_start_or_in_the_system() {
    let host = Host::new("");
    let start = std::env::home_dir().expect("whoever runs the tests has a home");
    let source = written(&tree_of(&["a"], "x"));
    let place = host.place.path();
    symlink(&start, place.join("link")).or_fail();
    let link = place.join("link");
    let before = snapshot(place).or_fail();
    let how = How { dry_run: true, ..How::default() };
    for to in [".", "~", "~/", "/", "/etc", "/etc/assetsync-none/../x", "/usr/local/"] {
        let (code, text) = code(host.push_so(source.path(), Path::new(to), &how, &NoMonitor));
        assert_eq!(code, FailureCode::Protected, "{to}");
        assert!(text.contains("nothing may be deleted"), "{to}: {text}");
    }
    for to in [&link, &start.join("assetsync-none/.."), &start] {
        let (code, _) = code(host.push_so(source.path(), to, &How::default(), &NoMonitor));
        assert_eq!(code, FailureCode::Protected, "{}", to.display());
    }
    assert_untouched(&before, place);
}
