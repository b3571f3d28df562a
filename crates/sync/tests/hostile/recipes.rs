//! What a hostile sender may say of renames, prefixes, patches, rewritten files and `.gz` files.

use assetsync_core::index::Index;
use assetsync_core::plan::{ActionKind, ActionPath, PrefixPart, Rename, WireAction};
use assetsync_core::protocol::{FailureCode, ToAgent};
use assetsync_core::recipe::{Basis, Recipe, Reference};

use crate::support::*;

/// Position of `a.txt` at the host, of a directory, and of `dir/b.txt`.
const A: u32 = 0;
const DIR: u32 = 1;
const B: u32 = 2;

fn rename(known: u32, start: u16, length: u8, new: &[u8]) -> ToAgent<'static> {
    ToAgent::Rename(Rename { known: Index::new(known), start, length, new: new.to_vec() })
}

fn renamed(position: u32) -> ToAgent<'static> {
    let what = file(Recipe::Whole, b"content");
    ToAgent::Action(WireAction { place: ActionPath::Renamed(Index::new(position)), what })
}

fn reference(known: u32, rewritten: bool) -> Reference {
    Reference { basis: Basis::Existing(Index::new(known)), rewritten }
}

fn patch(known: u32, rewritten: bool) -> ActionKind {
    file(Recipe::Patch { reference: reference(known, rewritten) }, b"content")
}

fn part(known: u32, offset: u64, length: u64) -> ToAgent<'static> {
    ToAgent::PrefixPart(PrefixPart { reference: reference(known, false), offset, length })
}

fn rewrite(known: u32) -> ActionKind {
    file(Recipe::Rewrite { basis: Basis::Existing(Index::new(known)) }, b"content")
}

fn regzip(plain: Basis) -> ActionKind {
    file(Recipe::Regzip { plain }, b"content")
}

/// What is a breach of the protocol, and what the agent says of it.
fn breaches() -> Vec<(&'static str, Vec<ToAgent<'static>>, &'static str)> {
    use ToAgent::*;
    let begin = |what: ActionKind| vec![new("x", what), PlanEnd];
    let inside = |what: ActionKind, more: &[ToAgent<'static>]| {
        [&begin(what)[..], &[FileStart { action: Index::new(0) }], more].concat()
    };
    let end = || ContentEnd { publish: true };
    vec![
        ("a rename that nobody told of", vec![renamed(0), PlanEnd], "rename to what is no path"),
        (
            "a rename of what is not there",
            vec![rename(9, 0, 1, b"b"), renamed(0), PlanEnd],
            "rename to what is no path",
        ),
        (
            "a rename out of the destination",
            vec![rename(A, 0, 5, b"../x"), renamed(0), PlanEnd],
            "rename to what is no path",
        ),
        (
            "a rename into the agent's own",
            vec![rename(A, 0, 5, b".assetsync"), renamed(0), PlanEnd],
            "is the agent's own",
        ),
        (
            "a rename from beyond the name",
            vec![rename(A, 4, 9, b"b"), renamed(0), PlanEnd],
            "rename to what is no path",
        ),
        ("a rename among actions", vec![whole("x"), rename(A, 0, 1, b"b")], "in a plan"),
        (
            "a rewritten ground with a rename from beyond the name",
            [&[rename(A, 4, 9, b"b")], &inside(patch(B, true), &[])[..]].concat(),
            "rename of what is not there",
        ),
        ("a patch of nothing that stands", vec![new("x", patch(9, false)), PlanEnd], "not there"),
        ("a rewrite of nothing that stands", vec![new("x", rewrite(9)), PlanEnd], "not there"),
        (
            "a .gz of nothing that stands",
            vec![new("x", regzip(Basis::Existing(Index::new(9))))],
            "not there",
        ),
        (
            "a .gz of itself",
            vec![new("x", regzip(Basis::Planned(Index::new(0)))), PlanEnd],
            "not there",
        ),
        (
            "more than the patch declares",
            inside(patch(B, false), &[Copy { offset: 0, length: 8 }]),
            "beyond the declared",
        ),
        ("a part before the plan", vec![part(B, 0, 9)], "instead of a plan"),
        (
            "parts over the limit",
            [
                &begin(patch(B, false))[..],
                &[part(B, 0, 1 << 19), part(B, 0, 1 << 19), part(B, 0, 1)],
            ]
            .concat(),
            "over its limit",
        ),
        (
            "copies among corrections",
            inside(regzip(Basis::Existing(Index::new(B))), &[Copy { offset: 0, length: 7 }]),
            "copy among corrections",
        ),
        (
            "content that never ends",
            [
                &begin(regzip(Basis::Existing(Index::new(B))))[..],
                &[FileStart { action: Index::new(0) }, end()],
            ]
            .concat(),
            "inside a file",
        ),
    ]
}

#[test]
fn protocol_violations_are_reported_and_change_nothing() {
    let host = Host::new();
    let before = host.contents();
    let mut wrong = Vec::new();
    for (name, messages, expected) in breaches() {
        let heard = host.hear_messages(&messages);
        let said = heard.failure.as_ref().map_or("", |failure| &failure.text);
        let refused = said.to_lowercase().contains(expected) && !heard.published;
        if !refused || heard.failure.is_none() || host.contents() != before {
            wrong.push(format!("{name}: {heard:?}"));
        }
        host.reset();
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A prefix that is not what the sender takes it for makes what follows unreadable: the push ends,
/// and is begun anew.
#[test]
fn a_prefix_that_is_another_one_ends_the_push() {
    let host = Host::new();
    let before = host.contents();
    let plan = [new("x", patch(B, false)), ToAgent::PlanEnd];
    let prefixes = [
        vec![part(B, 0, 100)],
        // Beyond the end of the file.
        vec![part(B, 5_999, 100)],
        vec![part(B, 1 << 40, 100)],
        // Of what is no file.
        vec![part(DIR, 0, 100)],
        vec![part(3, 0, 100)],
        vec![part(9, 0, 100)],
        vec![],
    ];
    for parts in prefixes {
        let messages = [&plan[..], &parts, &[ToAgent::Prefix { check: [7; 8] }]].concat();
        let heard = host.hear_messages(&messages);
        let code = heard.failure.as_ref().map(|failure| failure.code);
        let refused = matches!(code, Some(FailureCode::Basis | FailureCode::Protocol));
        assert!(refused && !heard.published, "{parts:?}: {heard:?}");
        assert_eq!(host.contents(), before);
        host.reset();
    }
}

/// Content that can't be made, or is not what was planned: it is asked for again, and nothing is
/// published.
#[test]
fn what_does_not_become_the_planned_content_is_never_published() {
    use ToAgent::*;
    let host = Host::new();
    let before = host.contents();
    let garbage: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(73)).collect();
    let start = || FileStart { action: Index::new(0) };
    let cases: Vec<(&str, ActionKind, Vec<ToAgent<'_>>)> = vec![
        ("a rewrite that is another content", rewrite(B), vec![]),
        ("a rewrite of a directory", rewrite(DIR), vec![]),
        (
            "a patch from beyond the end",
            patch(B, false),
            vec![start(), Copy { offset: 5_999, length: 7 }, FileEnd],
        ),
        (
            "a patch from far beyond the end",
            patch(B, false),
            vec![start(), Copy { offset: u64::MAX - 3, length: 7 }, FileEnd],
        ),
        (
            "a patch of a directory",
            patch(DIR, false),
            vec![start(), Copy { offset: 0, length: 7 }, FileEnd],
        ),
        (
            "corrections that are none",
            regzip(Basis::Existing(Index::new(B))),
            vec![start(), Literal(&garbage), FileEnd],
        ),
        (
            "corrections cut short",
            regzip(Basis::Existing(Index::new(B))),
            vec![start(), Literal(&[2]), FileEnd],
        ),
        (
            "a .gz of a directory",
            regzip(Basis::Existing(Index::new(DIR))),
            vec![start(), Literal(&garbage), FileEnd],
        ),
        ("no corrections at all", regzip(Basis::Existing(Index::new(B))), vec![start(), FileEnd]),
    ];
    for (name, what, content) in cases {
        let plan = [new("x", what), PlanEnd];
        let end = [ContentEnd { publish: true }];
        let messages: Vec<ToAgent<'_>> = plan.into_iter().chain(content).chain(end).collect();
        let heard = host.hear_messages(&messages);
        let told = heard.failed == [0] || heard.failure.is_some();
        assert!(told && !heard.published, "{name}: {heard:?}");
        assert_eq!(host.contents(), before, "{name}");
        host.reset();
    }
}
