//! What a hostile sender may say to the agent of a deploy, and a hostile agent to its sender.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::mpsc;
use std::thread;

use assetsync_sync::agent::{AgentError, serve};
use assetsync_sync::digest::Digest;
use assetsync_sync::entry::Mtime;
use assetsync_sync::plan::{FileAction, Order, Place, What};
use assetsync_sync::proto::{Deploy, Failure, Hello, Inbox, Message, Outbox, Received, Vitals};
use assetsync_sync::recipe::{Basis, Recipe};
use assetsync_sync::sender::{Connection, Decision, PushError, survey};

use crate::support::{Ground, PATIENCE, files, path, setting_aside, writing};

const NONCE: &str = "00ff";

/// How an agent ended, and the failure it told.
struct Heard {
    failure: Option<Failure>,
    published: u32,
    ended: Result<(), AgentError>,
}

/// Lets an agent hear a deploy's *Hello*, these messages and then the end.
fn hear(ground: &Ground, messages: &[Message<'_>]) -> Heard {
    let destination = ground.at("host").into_os_string().into_encoded_bytes();
    let hello = Hello {
        destination,
        dry_run: false,
        checksum: false,
        timeout_ms: 60_000,
        remembered: None,
        whole_directory: false,
        deletes: true,
        deploy: Some(Deploy::default()),
    };
    let script = [hello.line(), packed(messages)].concat();
    let (input, mut to_agent) = io::pipe().unwrap();
    let (mut from_agent, output) = io::pipe().unwrap();
    let (sender, agent) = mpsc::channel();
    thread::spawn(move || sender.send(serve(input.into(), output.into(), NONCE)));
    thread::spawn(move || {
        // An agent that has heard enough closes its end.
        let _ = to_agent.write_all(&script);
    });
    let ended = agent.recv_timeout(PATIENCE).expect("the agent ends, without a panic");
    // A thread of it may hold its output open for a while yet; all it said is in the pipe.
    rustix::fs::fcntl_setfl(&from_agent, rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut said = Vec::new();
    let read = from_agent.read_to_end(&mut said);
    assert!(read.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true));
    let mut inbox = Inbox::new().unwrap();
    inbox.receive(said.strip_prefix(format!("assetsync:{NONCE}:ready\n").as_bytes()).unwrap());
    let mut heard = Heard { failure: None, published: 0, ended };
    while inbox.ready().expect("an agent's words make sense") {
        match inbox.pop().unwrap() {
            Received::Failure(failure) => heard.failure = Some(failure),
            Received::Message(Message::Published(_)) => heard.published += 1,
            _ => {}
        }
    }
    heard
}

fn packed(messages: &[Message<'_>]) -> Vec<u8> {
    let mut outbox = Outbox::new(3).unwrap();
    messages.iter().for_each(|message| outbox.send(message));
    outbox.flush();
    outbox.take()
}

/// By position: `a.txt`, `dir`, `dir/b.txt`. One content is set aside, the history is `history`.
fn deployed(ground: &Ground) {
    let source = ground.write("src", &[("a.txt", "old a"), ("dir/b.txt", "b")]);
    let mut decision = writing(0, b"history");
    ground.deploy(&source, "host", None, decision.clone());
    let source = ground.write("src", &[("a.txt", "a"), ("dir/b.txt", "b")]);
    decision = setting_aside("a.txt", "old a");
    ground.deploy(&source, "host", None, decision);
}

fn copy(name: &str, from: Basis, content: &[u8]) -> Message<'static> {
    let what = What::File(FileAction {
        size: content.len() as u64,
        mode: 0o644,
        mtime: Mtime { secs: 1_700_000_000, nanos: 5 },
        digest: Some(Digest::of(content)),
        recipe: Recipe::Copy { from },
        entry_point: false,
    });
    Message::Action(Order { place: Place::New(path(name)), what })
}

fn set_aside(known: u32) -> Message<'static> {
    Message::SetAside { known, digest: Digest::of(b"a") }
}

/// Messages that break the protocol, and what the agent says of it.
fn breaches() -> Vec<(&'static str, Vec<Message<'static>>, &'static str)> {
    use Message::*;
    let planned = |more: &[Message<'static>]| [&[PlanEnd], more].concat();
    let piece = || HistoryPiece(b"piece");
    let aside = |aside| DropAside { aside };
    let staged =
        |more: &[Message<'static>]| planned(&[&[ContentEnd { publish: false }], more].concat());
    let live =
        |more: &[Message<'static>]| planned(&[&[ContentEnd { publish: true }], more].concat());
    let prune = || Action(Order { place: Place::New(path("x")), what: What::Prune });
    vec![
        ("more of the history than it has", planned(&[History { keep: 8 }]), "shorter than what"),
        ("two histories", planned(&[History { keep: 0 }, History { keep: 0 }]), "two histories"),
        ("piece of no history", planned(&[piece()]), "a piece of no history"),
        (
            "empty piece",
            planned(&[History { keep: 0 }, HistoryPiece(b"")]),
            "a piece of no history",
        ),
        ("setting a directory aside", planned(&[set_aside(1)]), "no file"),
        ("setting nothing aside", planned(&[set_aside(3)]), "no file"),
        ("the last position", planned(&[set_aside(10_000_000)]), "no file"),
        ("setting aside twice", planned(&[set_aside(2), set_aside(2)]), "out of order"),
        ("setting aside backwards", planned(&[set_aside(2), set_aside(0)]), "out of order"),
        ("dropping nothing", planned(&[aside(1)]), "not set aside"),
        ("dropping twice", planned(&[aside(0), aside(0)]), "not set aside"),
        ("the last aside", planned(&[aside(16_384)]), "not set aside"),
        ("before the plan", vec![set_aside(0)], "instead of a plan"),
        ("in the plan", vec![copy("x", Basis::Known(0), b"a"), set_aside(0)], "in a plan"),
        ("after staging", staged(&[set_aside(0)]), "after staging"),
        ("history after staging", staged(&[History { keep: 0 }]), "after staging"),
        ("pruning what is staged", staged(&[Prune]), "after staging"),
        ("pruning unstaged", planned(&[Prune]), "between files"),
        ("pruning nothing", vec![Prune], "instead of a plan"),
        ("publishing twice", live(&[Publish]), "after publishing"),
        ("a plan after publishing", live(&[PlanEnd]), "after publishing"),
        ("aside as basis", vec![copy("x", Basis::Aside(1), b"a"), PlanEnd], "not there"),
        ("delete of nothing", vec![prune(), PlanEnd], "not there"),
        ("an agent's words", planned(&[HistoryKnown]), "between files"),
    ]
}

#[test]
fn a_sender_that_breaks_the_protocol_of_a_deploy_is_refused() {
    let ground = Ground::new();
    deployed(&ground);
    let before = (ground.files("host"), ground.files(".assetsync-host/aside"));
    let mut wrong = Vec::new();
    for (name, messages, expected) in breaches() {
        let heard = hear(&ground, &messages);
        let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
        let after = (ground.files("host"), ground.files(".assetsync-host/aside"));
        if !said.contains(expected) || heard.ended.is_ok() || after != before {
            wrong.push(format!("{name}: {said:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(fs::read(ground.at(".assetsync-host/history")).unwrap(), b"history");
}

#[test]
fn a_history_over_its_limit_is_refused_while_it_comes() {
    let ground = Ground::new();
    deployed(&ground);
    let piece = vec![0; 32 * 1024];
    let mut messages = vec![Message::PlanEnd, Message::History { keep: 1 }];
    messages.extend((0..2048).map(|_| Message::HistoryPiece(&piece)));
    let heard = hear(&ground, &messages);
    assert!(heard.failure.unwrap().text.contains("too long a history"));
    assert_eq!(fs::read(ground.at(".assetsync-host/history")).unwrap(), b"history");
    // One byte less is none too many.
    messages[1] = Message::History { keep: 0 };
    messages.extend([Message::ContentEnd { publish: true }, Message::Bye]);
    let heard = hear(&ground, &messages);
    assert_eq!((heard.published, heard.ended.is_ok()), (1, true));
    assert_eq!(fs::metadata(ground.at(".assetsync-host/history")).unwrap().len(), 64 << 20);
}

#[test]
fn links_planted_in_the_work_directory_are_not_followed() {
    let ground = Ground::new();
    deployed(&ground);
    let secret = Digest::of(b"secret");
    fs::write(ground.at("secret"), "secret").unwrap();
    let aside = ground.at(".assetsync-host/aside");
    symlink(ground.at("secret"), aside.join(secret.to_string())).unwrap();
    // It is not told of, so no position leads there; what is set aside takes its place and leaves the target alone.
    let content = ground.write("src", &[("a.txt", "secret")]);
    ground.push(&content, "host", None);
    fs::write(ground.at("secret"), "kept").unwrap();
    let next = ground.write("src", &[("a.txt", "next")]);
    ground.deploy(&next, "host", None, setting_aside("a.txt", "secret"));
    assert_eq!(fs::read(ground.at("secret")).unwrap(), b"kept");
    assert!(fs::symlink_metadata(aside.join(secret.to_string())).unwrap().is_file());
    // A planted directory is refused before anything is published.
    let before = ground.files("host");
    fs::rename(&aside, ground.at("elsewhere")).unwrap();
    symlink(ground.at("elsewhere"), &aside).unwrap();
    let elsewhere = ground.files("elsewhere");
    let last = ground.write("src", &[("a.txt", "last")]);
    let decision = setting_aside("a.txt", "next");
    let refused = ground.try_stage(&last, "host", &ground.connection(None), decision);
    assert!(matches!(refused.err(), Some(PushError::Agent(_))));
    assert_eq!((ground.files("host"), ground.files("elsewhere")), (before, elsewhere));
}

// ---- hostile agents ----

/// Lets the sender of a deploy hear these messages.
fn deploy_to(messages: &[Message<'_>]) -> Result<(), PushError> {
    let ground = Ground::new();
    ground.pretend(&packed(messages));
    let source = ground.write("src", &[("a.txt", "a")]);
    let connection = Connection { timeout: PATIENCE, ..ground.connection(None) };
    let staged = ground.try_stage(&source, "host", &connection, Decision::default())?;
    staged.publish()?.prune().map(drop)
}

#[test]
fn an_agent_that_breaks_the_protocol_of_a_deploy_is_refused() {
    use Message::*;
    let vitals = Vitals { free_bytes: Some(1 << 40), ..Vitals::default() };
    let aside = |byte| Aside(assetsync_sync::state::Aside { digest: Digest([byte; 32]), size: 1 });
    let too_many: Vec<Message<'_>> = (0..=16_384).map(|_| aside(1)).collect();
    let piece = vec![0; 32 * 1024];
    let too_long: Vec<Message<'_>> = (0..2049).map(|_| HistoryPiece(&piece)).collect();
    let cases: BTreeMap<&str, Vec<Message<'_>>> = [
        ("a history nobody named", vec![HistoryKnown, StateEnd(vitals)]),
        ("known after pieces", vec![HistoryPiece(b"x"), HistoryKnown, StateEnd(vitals)]),
        ("an empty piece", vec![HistoryPiece(b""), StateEnd(vitals)]),
        ("too much set aside", too_many),
        ("too long a history", too_long),
        ("history after the state", vec![StateEnd(vitals), HistoryPiece(b"x")]),
        ("aside after the state", vec![StateEnd(vitals), aside(1)]),
        ("published unasked", vec![StateEnd(vitals), Published(vitals)]),
        ("a sender's words", vec![Prune]),
        (
            "set aside",
            vec![StateEnd(vitals), StagedEnd, SetAside { known: 0, digest: Digest([0; 32]) }],
        ),
    ]
    .into();
    let mut wrong = Vec::new();
    for (name, messages) in cases {
        let refused = deploy_to(&messages);
        if !matches!(refused, Err(PushError::Protocol(_))) {
            wrong.push(format!("{name}: {refused:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn nobody_is_told_of_a_history_who_did_not_ask() {
    let ground = Ground::new();
    let vitals = Vitals { free_bytes: Some(1 << 40), ..Vitals::default() };
    for message in [Message::HistoryPiece(b"x"), Message::HistoryKnown] {
        ground.pretend(&packed(&[message, Message::StateEnd(vitals)]));
        let source = ground.write("src", &[("a.txt", "a")]);
        let (target, connection) = (ground.target("host"), ground.connection(None));
        let options = &ground.options;
        let pushed =
            assetsync_sync::sender::push(&source, &target, &connection, options, &ground.notices);
        assert!(matches!(pushed, Err(PushError::Protocol(_))), "{pushed:?}");
    }
}

#[test]
fn whoever_only_looks_is_told_a_history_but_can_do_nothing() {
    let ground = Ground::new();
    deployed(&ground);
    let found = survey(&ground.target("host"), &ground.connection(None), &ground.notices).unwrap();
    assert_eq!((found.history.as_slice(), found.aside.len()), (&b"history"[..], 1));
    assert_eq!(ground.files("host"), files(&[("a.txt", "a"), ("dir/b.txt", "b")]));
    let mode = fs::metadata(ground.at(".assetsync-host/aside")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
