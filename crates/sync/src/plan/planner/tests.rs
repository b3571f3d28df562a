//! What is planned, in words.

use assetsync_core::delta::Signature;
use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::path::RelPath;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::{Partial, RemoteEntry, State};

use super::*;
use crate::compare::content_match::SourceEntry;
use crate::compare::policy::Policy;
use crate::scan::filter::{Filter, Rule as FilterRule};

const TIME: Mtime = Mtime { secs: 1000, nanos: 7 };
const LATER: Mtime = Mtime { secs: 2000, nanos: 0 };

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

/// A file of 4,000 bytes whose content is known by a word.
fn file(name: &str, content: &str, mtime: Mtime) -> SourceEntry {
    let entry = Entry { path: path(name), kind: Kind::File { size: 4000 }, mode: 0o644, mtime };
    SourceEntry { entry, digest: Some(Digest::of(content.as_bytes())) }
}

fn folder(name: &str) -> SourceEntry {
    let entry = Entry { path: path(name), kind: Kind::Dir, mode: 0o755, mtime: Mtime::default() };
    SourceEntry { entry, digest: None }
}

fn link(name: &str, target: &str) -> SourceEntry {
    let kind = Kind::Symlink { target: target.into() };
    SourceEntry { entry: Entry { path: path(name), kind, mode: 0o775, mtime: TIME }, digest: None }
}

/// A state that knows every digest, or none.
fn state(entries: &[SourceEntry], knows: bool) -> State {
    let remote = |local: &SourceEntry| RemoteEntry {
        entry: local.entry.clone(),
        digest: local.digest.filter(|_| knows).map(|digest| digest.short()),
    };
    State { entries: entries.iter().map(remote).collect(), partials: Vec::new() }
}

fn mirror() -> Policy {
    Policy { delete: true, ..Policy::default() }
}

/// The plan in words; every question is answered "different, and signed".
fn words(source: &[SourceEntry], state: &State, policy: &Policy) -> Vec<String> {
    let comparison = Comparison::new(source, state, policy, Recipes::ALL);
    let answers = comparison.queries().into_iter().map(|ask| {
        let signed = ask.signature.map(|spec| {
            let entries = vec![0; spec.signature_bytes(4000) as usize];
            Answer::Signed(Signature::new(spec, 4000, entries).unwrap())
        });
        (ask.known, signed.unwrap_or(Answer::Different))
    });
    describe(&comparison.plan(&answers.collect()).unwrap())
}

fn describe(plan: &Plan) -> Vec<String> {
    let what = |action: &Action| match &action.what {
        ActionKind::Dir { .. } => "dir".into(),
        ActionKind::Symlink { .. } => "link".into(),
        ActionKind::Delete => "delete".into(),
        ActionKind::Prune => "prune".into(),
        ActionKind::Respell { to } => format!("respell {to}"),
        ActionKind::File(file) => match file.recipe {
            Recipe::Copy { from } => format!("copy {from:?}"),
            Recipe::Delta { reference, .. } => format!("delta {:?}", reference.basis),
            other => other.name().into(),
        },
    };
    plan.actions.iter().map(|action| format!("{} {}", action.path, what(action))).collect()
}

#[test]
fn every_file_gets_the_cheapest_recipe() {
    let there = [
        file("app-1a2b3c4d.js", "old app", TIME),
        file("kept.css", "kept", TIME),
        file("old-name.css", "moved", TIME),
        file("same-path.css", "before", TIME),
        file("touched.css", "touched", TIME),
    ];
    let here = [
        file("app-9f8e7d6c.js", "new app", LATER),
        file("kept.css", "kept", TIME),
        file("moved.css", "moved", LATER),
        file("new-1.css", "twice", TIME),
        file("new-2.css", "twice", TIME),
        file("same-path.css", "after", TIME),
        file("touched.css", "touched", LATER),
    ];
    let expected = [
        "app-1a2b3c4d.js delete",
        "app-9f8e7d6c.js delta Existing(0)",
        "moved.css copy Existing(2)",
        "new-1.css whole",
        "new-2.css copy Planned(3)",
        "old-name.css delete",
        "same-path.css delta Existing(3)",
        "touched.css touch",
    ];
    assert_eq!(words(&here, &state(&there, true), &mirror()), expected);
}

#[test]
fn nothing_is_planned_where_nothing_changed() {
    let tree = [folder("a"), file("a/b.js", "b", TIME), link("l", "a/b.js")];
    assert!(words(&tree, &state(&tree, true), &mirror()).is_empty());
    let (unknown, policy) = (state(&tree, false), mirror());
    let comparison = Comparison::new(&tree, &unknown, &policy, Recipes::ALL);
    let plan = comparison.plan(&Answers::from([(Index::new(1), Answer::ContentMatch)])).unwrap();
    assert!(describe(&plan).is_empty(), "{plan:?}");
    let without_delete = words(&[], &state(&tree, true), &Policy::default());
    assert!(without_delete.is_empty(), "{without_delete:?}");
}

#[test]
fn a_change_that_keeps_size_and_mtime_is_seen() {
    let there = [file("a.css", "before", TIME)];
    let here = [file("a.css", "after!", TIME)];
    assert_eq!(words(&here, &state(&there, true), &mirror()), ["a.css delta Existing(0)"]);
    assert_eq!(words(&here, &state(&there, false), &mirror()), ["a.css delta Existing(0)"]);
    let by_size = Policy { size_only: true, ..mirror() };
    assert!(words(&here, &state(&there, false), &by_size).is_empty());
}

#[test]
fn unknown_files_are_asked_about_once() {
    let there = [file("a.css", "same", TIME)];
    for (mtime, expected) in [(LATER, vec!["a.css touch"]), (TIME, Vec::new())] {
        let here = [file("a.css", "same", mtime)];
        let (state, policy) = (state(&there, false), mirror());
        let comparison = Comparison::new(&here, &state, &policy, Recipes::ALL);
        let asks = comparison.queries();
        assert_eq!(asks.len(), 1);
        assert_eq!(asks[0].expected, Some(Digest::of(b"same").short()));
        let answers = Answers::from([(Index::new(0), Answer::ContentMatch)]);
        assert_eq!(describe(&comparison.plan(&answers).unwrap()), expected);
    }
}

#[test]
fn what_stands_under_another_spelling_is_neither_deleted_nor_sent_again() {
    let there = [folder("Img"), file("Img/A.png", "a", TIME), file("Logo.png", "old", TIME)];
    let here = [folder("img"), file("img/a.png", "a", TIME), file("logo.png", "new", TIME)];
    let (state, policy) = (state(&there, true), mirror());
    let comparison = Comparison::new(&here, &state, &policy, Recipes::ALL);
    let suspects = comparison.suspects();
    let plan = comparison.aliased(&suspects).unwrap().plan(&Answers::new()).unwrap();
    let expected = [
        "Img respell img",
        "Img/A.png respell img/a.png",
        "Logo.png respell logo.png",
        "logo.png whole",
    ];
    assert_eq!(describe(&plan), expected);
    assert_eq!(plan.kept_files, 1);
}

#[test]
fn what_cannot_both_be_there_is_told() {
    let rules = [(FilterRule::Exclude, b"/KEPT".as_slice())];
    let policy = Policy { filter: Filter::parse(rules).unwrap(), ..mirror() };
    let there = [folder("Dir"), file("KEPT", "k", TIME), file("same", "s", TIME)];
    let here = [file("App.js", "1", TIME), file("Same", "s", TIME), file("app.js", "2", TIME)]
        .into_iter()
        .chain([file("dir", "d", TIME), file("kept", "k", TIME), file("same", "s", TIME)]);
    let (here, state) = (here.collect::<Vec<_>>(), state(&there, true));
    let comparison = Comparison::new(&here, &state, &policy, Recipes::ALL);
    let suspects = comparison.suspects();
    let clashes = comparison.aliased(&suspects).unwrap_err();
    let told = clashes.iter().map(|one| format!("{} {}", one.other, one.path));
    assert_eq!(told.collect::<Vec<_>>(), ["App.js app.js", "Dir dir", "KEPT kept", "same Same"]);
}

#[test]
fn leftovers_are_used() {
    let here = [file("a.css", "staged before", TIME)];
    let digest = here[0].digest.unwrap().short();
    let state = State { entries: Vec::new(), partials: vec![Partial { digest, size: 4000 }] };
    assert_eq!(words(&here, &state, &mirror()), ["a.css copy Partial(0)"]);
}

#[test]
fn kinds_change_only_where_nothing_is_lost_unasked() {
    let there = [folder("a"), file("a/x", "x", TIME)];
    let here = [file("a", "now a file", TIME)];
    let state = state(&there, true);
    assert_eq!(words(&here, &state, &mirror()), ["a whole", "a/x delete"]);
    let policy = Policy::default();
    let refused = Comparison::new(&here, &state, &policy, Recipes::ALL).plan(&Answers::new());
    assert_eq!(refused, Err(vec![Obstruction { path: path("a") }]));
}

#[test]
fn what_a_filter_excludes_is_not_deleted() {
    let there = [folder("uploads"), file("uploads/x", "x", TIME), file("y", "y", TIME)];
    let rules = [(FilterRule::Exclude, b"/uploads/".as_slice())];
    let policy = Policy { filter: Filter::parse(rules).unwrap(), ..mirror() };
    assert_eq!(words(&[], &state(&there, true), &policy), ["y delete"]);
}

#[test]
fn compressed_content_comes_last_and_without_a_delta() {
    let there = [file("a.js.gz", "before", TIME)];
    let here = [file("a.js.gz", "after", TIME), file("b.js", "b", TIME), file("c.css", "c", TIME)];
    let state = state(&there, true);
    assert_eq!(words(&here, &state, &mirror()), ["a.js.gz whole", "b.js whole", "c.css whole"]);
    let policy = mirror();
    let plan = Comparison::new(&here, &state, &policy, Recipes::ALL).plan(&Answers::new()).unwrap();
    assert_eq!(content_order(&plan), [2, 1, 0].map(Index::new));
}
