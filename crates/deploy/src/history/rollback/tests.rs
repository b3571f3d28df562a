use super::*;
use crate::history::deploys::Deploy;
use crate::history::fixtures::{Host, at, deploy, file, path, policy, remote, tree};

/// A history of trees, each with the number of the deploy it restores.
fn history(made: &[(&str, Option<u32>)]) -> History {
    (0..).zip(made).fold(History::new(), |history, (number, (name, restored))| {
        let restores = restored.map(|number| deploy(number, i64::from(number)).id);
        let deploy = Deploy { restores, ..deploy(number, i64::from(number)) };
        let step = history.step(deploy, &tree(&[name]), 0, std::iter::empty());
        history.apply(step).expect("a good step")
    })
}

#[test]
fn steps_back() {
    let simple = history(&[("a", None), ("b", None), ("c", None)]);
    let repeated = history(&[("a", None), ("b", None), ("b", None), ("c", None), ("c", None)]);
    let rolled_back = history(&[("a", None), ("b", None), ("c", None), ("b", Some(1))]);
    let fixed = history(&[("a", None), ("b", None), ("c", None), ("b", Some(1)), ("d", None)]);
    let there_and_back = history(&[("a", None), ("b", None), ("a", None)]);
    let table = [
        ("the live one", &simple, 0, Ok(2)),
        ("the one before", &simple, 1, Ok(1)),
        ("the first", &simple, 2, Ok(0)),
        ("too far", &simple, 3, Err(RollbackError::TooFew { asked: 3, available: 2 })),
        ("repeats are no steps", &repeated, 1, Ok(2)),
        ("nor these", &repeated, 2, Ok(0)),
        ("a rollback stands for its deploy", &rolled_back, 0, Ok(1)),
        ("so the next goes further", &rolled_back, 1, Ok(0)),
        ("before the fix the old one was live", &fixed, 1, Ok(1)),
        ("and before that the first", &fixed, 2, Ok(0)),
        ("the same content, later", &there_and_back, 1, Ok(1)),
        ("the same content, earlier", &there_and_back, 2, Ok(0)),
        ("no deploys", &History::new(), 1, Err(RollbackError::NoDeploys)),
    ];
    for (what, history, steps, expected) in table {
        assert_eq!(find(history, RollbackTo::Back(steps)), expected, "{what}");
    }
}

#[test]
fn restored_deploys_that_are_not_there() {
    // Forgotten, itself, or later: only a damaged history has that.
    for restored in [77, 1, 2] {
        let odd = history(&[("a", None), ("b", Some(restored)), ("c", None)]);
        assert_eq!(find(&odd, RollbackTo::Back(1)), Ok(1));
        // Deploy 0 came after the one that is forgotten.
        let too_few = RollbackError::TooFew { asked: 2, available: 1 };
        assert_eq!(find(&odd, RollbackTo::Back(2)), Err(too_few));
    }
}

#[test]
fn a_forgotten_deploy_is_found_in_what_restored_it() {
    let restored = deploy(77, 77).id.to_string();
    let odd = history(&[("a", None), ("b", Some(77)), ("c", None), ("b", Some(77))]);
    assert_eq!(find(&odd, RollbackTo::Id(&restored)), Ok(3));
    assert!(find(&odd, RollbackTo::Id(&restored[..8])).is_err(), "only by its whole id");
}

#[test]
fn ids() {
    let history = history(&[("a", None), ("b", None), ("c", None)]);
    let table = [
        ("19700101T000001Z-00000001", Ok(1)),
        ("19700101T000002Z", Ok(2)),
        ("2026", Err("No deploy has an id that begins with '2026'".to_owned())),
        ("1970", Err("3 deploys have ids that begin with '1970'".to_owned())),
    ];
    for (id, expected) in table {
        let found = find(&history, RollbackTo::Id(id)).map_err(|refused| refused.to_string());
        assert_eq!(found, expected);
    }
}

#[test]
fn where_content_comes_from() {
    let mut host = Host::default();
    let old = tree(&["app-1.js=1", "index.html=2", "logo-1.png=3", "gone.js=4", "quick.js=5"]);
    host.deploy(&old, &policy(9, 0), at(0));
    host.deploy(&tree(&["index.html=6", "logo-2.png=3"]), &policy(9, 0), at(1));
    host.existing.retain(|remote| {
        let name = remote.entry.path.to_string();
        !["gone.js", "logo-1.png"].contains(&name.as_str())
    });
    for remote in host.existing.iter_mut().filter(|r| r.entry.path == path("quick.js")) {
        remote.digest = None;
    }
    let back = host.history.tree(find(&host.history, RollbackTo::Back(1)).expect("a target"));
    let stock = AvailableContents::new(&host.existing, &host.retained_contents);
    let sources: Vec<_> =
        back.files().iter().map(|file| (file.path.to_string(), stock.source(file))).collect();
    let expected = [
        ("app-1.js", ContentLocation::InPlace),
        ("gone.js", ContentLocation::Missing),
        ("index.html", ContentLocation::Retained),
        ("logo-1.png", ContentLocation::At(path("logo-2.png"))),
        ("quick.js", ContentLocation::InPlace),
    ];
    assert_eq!(sources, expected.map(|(name, source)| (name.to_owned(), source)));
    assert_eq!(back, old);
    assert_eq!(missing(&back, &host.existing, &host.retained_contents), [file("gone.js", 4)]);
}

#[test]
fn links_need_no_content() {
    let link = |target: &[u8]| {
        let content = Content::Symlink { target: target.to_vec() };
        HistoryFile { path: path("current.js"), content, ..file("current.js", 0) }
    };
    let existing = [remote(&link(b"app-2.js"))];
    let stock = AvailableContents::new(&existing, &[]);
    assert_eq!(stock.source(&link(b"app-2.js")), ContentLocation::InPlace);
    assert_eq!(stock.source(&link(b"app-1.js")), ContentLocation::Link);
}
