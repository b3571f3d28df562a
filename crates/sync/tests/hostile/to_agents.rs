//! What a hostile sender may say to an agent.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use assetsync_core::digest::Digest;
use assetsync_core::index::Index;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{ActionKind, FileAction, PublishRank};
use assetsync_core::protocol::{FrameKind, ToAgent, put_bytes, put_frame, put_number};
use assetsync_core::recipe::{Basis, Recipe, Reference};
use assetsync_receiver::AgentError;

use crate::support::*;

/// Messages that break the protocol, and what the agent says of it.
fn breaches() -> Vec<(&'static str, Vec<ToAgent<'static>>, &'static str)> {
    use ToAgent::*;
    let start = FileStart { action: Index::new(0) };
    let literal = || Literal(b"content");
    let (end, publish) = (PlanEnd, ContentEnd { publish: true });
    let content = |messages: &[ToAgent<'static>]| [&[whole("x"), PlanEnd], messages].concat();
    let ask = |known, spec| {
        Query(assetsync_core::protocol::Query {
            known,
            expected: None,
            signature: spec,
            rewritten: false,
        })
    };
    let dir = || ActionKind::Dir { mode: 0o755 };
    let respell = |to: &str| ActionKind::Respell { to: RelPath::new(to.as_bytes()).unwrap() };
    let link = || ActionKind::Symlink { target: b"/etc".to_vec(), mtime: MTIME };
    vec![
        ("the agent's own directory", vec![whole(".assetsync/x"), PlanEnd], "is the agent's own"),
        ("its name", vec![new(".assetsync", dir()), PlanEnd], "is the agent's own"),
        ("out of order", vec![whole("y"), whole("x"), PlanEnd], "out of order"),
        ("twice", vec![whole("x"), whole("x"), PlanEnd], "out of order"),
        ("known twice", vec![known(0, dir()), known(0, dir()), PlanEnd], "out of order"),
        ("below a file", vec![whole("x"), whole("x/y"), PlanEnd], "below what is no directory"),
        ("below a new link", vec![new("x", link()), whole("x/y")], "below what is no directory"),
        (
            "below a known link",
            vec![known(3, link()), whole("link/y")],
            "below what is no directory",
        ),
        (
            "below a delete",
            vec![known(1, ActionKind::Delete), whole("dir/y")],
            "below what is no directory",
        ),
        ("position out of range", vec![known(4, dir()), PlanEnd], "out of range"),
        ("largest position", vec![known(10_000_000, ActionKind::Delete), PlanEnd], "out of range"),
        (
            "delete of nothing",
            vec![new("x", ActionKind::Delete), PlanEnd],
            "names what is not there",
        ),
        ("respelling of nothing", vec![new("x", respell("X")), PlanEnd], "names what is not there"),
        (
            "respelled as the agent's own",
            vec![known(0, respell(".assetsync")), PlanEnd],
            "names what is not there",
        ),
        ("touch of nothing", vec![new("x", touch()), PlanEnd], "names what is not there"),
        (
            "known basis",
            vec![copy("x", Basis::Existing(Index::new(4))), PlanEnd],
            "names what is not there",
        ),
        (
            "leftover basis",
            vec![copy("x", Basis::Partial(Index::new(0))), PlanEnd],
            "names what is not there",
        ),
        (
            "itself as basis",
            vec![copy("x", Basis::Planned(Index::new(0))), PlanEnd],
            "names what is not there",
        ),
        (
            "later basis",
            vec![copy("x", Basis::Planned(Index::new(9))), PlanEnd],
            "names what is not there",
        ),
        (
            "content for no action",
            content(&[FileStart { action: Index::new(1) }]),
            "content for no file",
        ),
        (
            "content for a directory",
            vec![new("x", dir()), PlanEnd, start.clone()],
            "content for no file",
        ),
        (
            "content for a touch",
            vec![known(0, touch()), PlanEnd, start.clone()],
            "content for no file",
        ),
        (
            "content twice",
            content(&[start.clone(), literal(), FileEnd, start.clone()]),
            "came twice",
        ),
        ("too much", content(&[start.clone(), literal(), literal()]), "beyond the declared"),
        (
            "too much copied",
            content(&[start.clone(), Copy { offset: 0, length: 8 }]),
            "beyond the declared",
        ),
        (
            "too much stored",
            content(&[start.clone(), Stored { length: 1 << 40 }]),
            "beyond the declared",
        ),
        (
            "copy of nothing",
            content(&[start.clone(), Copy { offset: 0, length: 0 }]),
            "copy of nothing",
        ),
        (
            "stored is missing",
            content(&[start.clone(), Stored { length: 7 }, FileEnd]),
            "is missing",
        ),
        ("plan inside a file", content(&[start.clone(), PlanEnd]), "inside a file"),
        ("file inside a file", content(&[start.clone(), start.clone()]), "inside a file"),
        ("literal outside a file", content(&[literal()]), "between files"),
        ("end outside a file", content(&[FileEnd]), "between files"),
        ("action after the plan", content(&[whole("y")]), "between files"),
        ("publish before content", content(&[Publish]), "between files"),
        (
            "setting aside in no deploy",
            content(&[Retain { known: Index::new(0), digest: Digest([0; 32]) }]),
            "between files",
        ),
        ("history in no deploy", content(&[History { keep: 0 }]), "between files"),
        (
            "dropping in no deploy",
            content(&[DropRetained { retained_contents: Index::new(0) }]),
            "between files",
        ),
        (
            "aside as basis in no deploy",
            vec![copy("x", Basis::Retained(Index::new(0))), PlanEnd],
            "not there",
        ),
        ("publish of what failed", content(&[publish.clone(), Publish]), "after staging"),
        ("nothing to publish", vec![Publish], "instead of a plan"),
        ("no plan", vec![literal()], "instead of a plan"),
        ("question in a plan", vec![whole("x"), ask(Index::new(0), None)], "in a plan"),
        (
            "question out of range",
            vec![ask(Index::new(4), None), QueriesEnd],
            "question out of range",
        ),
        ("plan among questions", vec![ask(Index::new(0), None), end], "among questions"),
        (
            "questions twice",
            vec![ask(Index::new(0), None), QueriesEnd, ask(Index::new(0), None), QueriesEnd],
            "queries after queries",
        ),
        ("amending no action", content(&[amend(1), publish.clone()]), "amend"),
        ("amending a directory", vec![new("x", dir()), PlanEnd, amend(0), publish], "amend"),
        (
            "amending what is verified",
            content(&[start, literal(), FileEnd, amend(0), ContentEnd { publish: true }]),
            "amend",
        ),
    ]
}

fn touch() -> ActionKind {
    ActionKind::File(FileAction {
        size: 0,
        mode: 0o644,
        mtime: MTIME,
        digest: None,
        recipe: Recipe::Touch,
        rank: PublishRank::Ordinary,
    })
}

#[test]
fn a_sender_that_breaks_the_protocol_gets_an_error_and_changes_nothing() {
    let host = Host::new();
    let before = host.contents();
    let mut wrong = Vec::new();
    for (name, messages, expected) in breaches() {
        let heard = host.hear_messages(&messages);
        let said = heard.failure.as_ref().map_or("", |failure| &failure.text);
        let refused = said.to_lowercase().contains(expected) && !heard.published;
        if !refused || host.contents() != before {
            wrong.push(format!("{name}: {heard:?}"));
        }
        host.reset();
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// An action for a new directory of any name, be it one.
fn raw_dir(name: &[u8]) -> Vec<u8> {
    let mut plain = vec![3, 0b0001_1001, 0];
    put_bytes(&mut plain, name);
    plain
}

/// A whole new file `x` of this size.
fn raw_file(mode: u64, size: u64) -> Vec<u8> {
    let mut plain = vec![3, 0b0001_0000, 0, 1, b'x'];
    put_number(&mut plain, mode);
    plain.push(4);
    put_number(&mut plain, size);
    plain.extend([7; 32]);
    plain
}

#[test]
fn bytes_that_are_no_messages_are_refused() {
    let host = Host::new();
    let before = host.contents();
    let long = vec![b'a'; 256];
    let deep = vec![b"d".as_slice(); 1025].join(&b'/');
    let huge = vec![b"0123456789".as_slice(); 500].join(&b'/');
    let names: [&[u8]; 15] = [
        b"",
        b"/",
        b".",
        b"..",
        b"../x",
        b"/etc/x",
        b"a/../../x",
        b"a//b",
        b"a/",
        b"a/.",
        b"a\0b",
        b".assetsync/..",
        &long,
        &deep,
        &huge,
    ];
    let mut cases: Vec<(String, Script)> = names
        .iter()
        .map(|name| (name.escape_ascii().to_string(), packed_raw(&raw_dir(name))))
        .collect();
    let raw: [(&str, Vec<u8>); 19] = [
        ("mode of 13 bits", raw_file(0o10000, 1)),
        ("size over the limit", raw_file(0o644, (1 << 44) + 1)),
        ("size of 64 bits", raw_file(0o644, u64::MAX)),
        ("unknown message", vec![25]),
        ("message 0", vec![0]),
        ("message of an agent", vec![41]),
        ("two places at once", vec![3, 0xc0]),
        ("rename over its limit", vec![15, 0, 0, 8, 0x81, 1]),
        ("rename from beyond a path", vec![15, 0, 0x80, 0x20, 8, 1]),
        ("text over its limit", vec![16, 0x81, 1]),
        ("part over its limit", vec![17, 0, 0, 0, 0, 0x81, 0x80, 0x80, 1]),
        ("part of an unknown ground", vec![17, 1, 0, 0]),
        ("unknown question", vec![1, 8]),
        ("blocks of 2^31", vec![1, 2, 0, 31, 8]),
        ("hash of no bytes", vec![1, 2, 0, 12, 0]),
        ("position below 0", vec![1, 0, 1]),
        ("number of 11 bytes", [vec![5], vec![0xff; 11]].concat()),
        ("literal over its limit", vec![6, 0x81, 0x80, 0x02]),
        ("copy beyond all files", [vec![7], vec![0xff; 9], vec![1, 1]].concat()),
    ];
    cases.extend(raw.map(|(name, plain)| (name.to_owned(), packed_raw(&plain))));
    let mut window = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    window.window_log(27).unwrap();
    window.include_contentsize(false).unwrap();
    window.write_all(&[14; 100]).unwrap();
    let mut wide = Vec::new();
    put_frame(&mut wide, FrameKind::Packed, &window.finish().unwrap());
    let mut garbage = Vec::new();
    put_frame(&mut garbage, FrameKind::Packed, b"this is not zstd at all");
    let mut stored = Vec::new();
    put_frame(&mut stored, FrameKind::Stored, b"unasked");
    cases.extend([
        ("window of 128 MiB".to_owned(), wide),
        ("no zstd".to_owned(), garbage),
        ("stored content unasked".to_owned(), stored),
        ("unknown frame".to_owned(), vec![9, 0, 0, 0]),
        ("long frame".to_owned(), vec![1, 0xff, 0xff, 0xff]),
        ("heartbeat with a payload".to_owned(), vec![3, 1, 0, 0, 0]),
    ]);
    let mut wrong = Vec::new();
    for (name, bytes) in cases {
        let heard = host.hear([host.hello().line(), bytes].concat());
        if heard.failure.is_none() || heard.published || host.contents() != before {
            wrong.push(format!("{name}: {heard:?}"));
        }
        host.reset();
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn first_lines_that_are_none_are_refused() {
    let host = Host::new();
    let before = host.contents();
    let endless = vec![b'a'; 100_000];
    let check = Digest::of(&[0, 16, 0]).to_string();
    let unknown = format!("assetsync 11 001000{}\n", &check[..16]);
    let changed = format!("assetsync 11 001100{}\n", &check[..16]);
    let cases: [(&[u8], &str); 8] = [
        (&endless, "first line does not end"),
        (b"GET / HTTP/1.1\n", "not assetsync's"),
        (b"assetsync 99 00\n", "version 99"),
        (b"assetsync 11 zz\n", "not assetsync's"),
        (b"assetsync 11 +1\n", "not assetsync's"),
        (b"assetsync 11 ff\n", "ends too early"),
        (unknown.as_bytes(), "unknown"),
        (changed.as_bytes(), "not what was sent"),
    ];
    for (line, expected) in cases {
        let heard = host.hear(line.to_vec());
        let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
        assert!(said.contains(expected), "{}: {said}", line.escape_ascii());
    }
    assert_eq!(host.contents(), before);
}

#[test]
fn content_that_is_not_what_was_planned_is_never_published() {
    use ToAgent::*;
    let host = Host::new();
    let before = host.contents();
    let (start, publish) = (FileStart { action: Index::new(0) }, ContentEnd { publish: true });
    let delta = |basis| {
        let reference = Reference { basis, rewritten: false };
        let recipe = Recipe::Delta { reference, block_bytes: 1024 };
        new("x", file(recipe, b"content"))
    };
    let part = Copy { offset: 0, length: 7 };
    let far = Copy { offset: 1 << 43, length: 7 };
    let cases = [
        ("missing", whole("x"), vec![]),
        ("short", whole("x"), vec![start.clone(), Literal(b"cont"), FileEnd]),
        ("other", whole("x"), vec![start.clone(), Literal(b"CONTENT"), FileEnd]),
        ("given up", whole("x"), vec![start.clone(), Literal(b"content"), FileAbort]),
        ("copy without a basis", whole("x"), vec![start.clone(), part.clone(), FileEnd]),
        (
            "copy beyond the basis",
            delta(Basis::Existing(Index::new(0))),
            vec![start.clone(), far, FileEnd],
        ),
        (
            "other copied",
            delta(Basis::Existing(Index::new(0))),
            vec![start.clone(), part.clone(), FileEnd],
        ),
        (
            "a directory as basis",
            delta(Basis::Existing(Index::new(1))),
            vec![start.clone(), part.clone(), FileEnd],
        ),
        ("a link as basis", delta(Basis::Existing(Index::new(3))), vec![start, part, FileEnd]),
        ("copy of other content", copy("x", Basis::Existing(Index::new(0))), vec![]),
        ("copy of a link", copy("x", Basis::Existing(Index::new(3))), vec![]),
    ];
    for (name, action, content) in cases {
        let messages = [vec![action, PlanEnd], content, vec![publish.clone()]].concat();
        let heard = host.hear_messages(&messages);
        assert_eq!(heard.failed, [0], "{name}: {heard:?}");
        assert!(
            !heard.published && matches!(heard.ended, Err(AgentError::SenderGone)),
            "{name}: {heard:?}"
        );
        assert_eq!(host.contents(), before, "{name}");
    }
}

#[test]
fn links_at_the_destination_lead_nowhere() {
    let host = Host::new();
    let outside = host.outside();
    let content = |name: &'static str| {
        use ToAgent::*;
        let start = FileStart { action: Index::new(0) };
        vec![
            whole(name),
            PlanEnd,
            start,
            Literal(b"content"),
            FileEnd,
            ContentEnd { publish: true },
        ]
    };
    for name in ["link/evil", "link/deeper/evil", "link/secret"] {
        let heard = host.hear_messages(&content(name));
        assert!(heard.failure.is_some() && !heard.published, "{name}: {heard:?}");
        assert_eq!(host.outside(), outside, "{name}");
        host.reset();
    }
    // A link that the plan makes a directory of goes away; where it led stays.
    let mut messages = content("link/evil");
    messages.insert(0, known(3, ActionKind::Dir { mode: 0o755 }));
    messages[3] = ToAgent::FileStart { action: Index::new(1) };
    let heard = host.hear_messages(&messages);
    assert!(heard.published, "{heard:?}");
    assert_eq!(fs::read(host.at("dest/link/evil")).unwrap(), b"content");
    assert_eq!(host.outside(), outside);
    host.reset();
    // Touching and deleting the link do not reach through it either.
    for what in [touch(), ActionKind::Delete] {
        let messages = [known(3, what), ToAgent::PlanEnd, ToAgent::ContentEnd { publish: true }];
        let _ = host.hear_messages(&messages);
        assert_eq!(host.outside(), outside);
        host.reset();
    }
}

#[test]
fn links_in_place_of_the_work_directory_lead_nowhere() {
    use ToAgent::*;
    let host = Host::new();
    let (start, publish) = (FileStart { action: Index::new(0) }, ContentEnd { publish: true });
    let messages = [whole("x"), PlanEnd, start, Literal(b"content"), FileEnd, publish];
    let outside = host.outside();
    for (link, target) in [
        (".assetsync-dest", "outside"),
        (".assetsync-dest/stage", "../outside"),
        (".assetsync-dest/lock", "../outside/secret"),
        (".assetsync-dest/clock", "../outside/secret"),
        (".assetsync-dest/index.new", "../outside/secret"),
    ] {
        host.reset();
        fs::create_dir_all(host.at(link).parent().unwrap()).unwrap();
        symlink(target, host.at(link)).unwrap();
        let heard = host.hear_messages(&messages);
        // Without an index the push is done all the same, and the clock is made anew each time.
        let is_replaced = link.ends_with("clock") || link.ends_with("index.new");
        assert!(heard.failure.is_some() || is_replaced, "{link}: {heard:?}");
        let found: Vec<_> =
            host.outside().into_iter().filter(|(path, _)| *path != host.at(link)).collect();
        assert_eq!(found, outside.clone().into_iter().collect::<Vec<_>>(), "{link}");
        let _ = fs::remove_file(host.at(link));
    }
}

#[test]
fn no_mode_gives_more_than_a_web_server_needs() {
    use ToAgent::*;
    let host = Host::new();
    let ActionKind::File(plain) = file(Recipe::Whole, b"content") else { unreachable!() };
    let wide = ActionKind::File(FileAction { mode: 0o7777, ..plain });
    let messages = [
        new("d", ActionKind::Dir { mode: 0o7777 }),
        new("d/x", wide),
        PlanEnd,
        FileStart { action: Index::new(1) },
        Literal(b"content"),
        FileEnd,
        ContentEnd { publish: true },
    ];
    let heard = host.hear_messages(&messages);
    assert!(heard.published, "{heard:?}");
    for name in ["dest/d", "dest/d/x"] {
        let mode = fs::metadata(host.at(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o775, "{name} has mode {mode:o}");
    }
}

#[test]
fn a_plan_that_can_not_fit_is_refused_before_anything_is_written() {
    let host = Host::new();
    let before = host.contents();
    let mut plain = raw_file(0o644, 1 << 44);
    plain.push(4);
    let heard = host.hear([host.hello().line(), packed_raw(&plain)].concat());
    let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
    assert!(said.contains("Disk full"), "{said}");
    assert_eq!(host.contents(), before);
}
