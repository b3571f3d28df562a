//! What a hostile sender may say to the agent of a deploy, and a hostile agent to its sender.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::mpsc;
use std::{fs, thread};

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::index::Index;
use assetsync_core::plan::{ActionKind, ActionPath, FileAction, PublishRank, WireAction};
use assetsync_core::protocol::{
    AgentStatistics, Deploy, Failure, FailureCode, Hello, Inbox, Message, Outbox, Received,
    ToAgent, ToSender,
};
use assetsync_core::recipe::{Basis, Recipe};
use assetsync_receiver::{AgentError, serve};
use assetsync_sync::{ConnectOptions, Decision, PushError, survey};

use crate::support::{TestHost, WAIT_LIMIT, files, path, setting_aside, writing};

const NONCE: &str = "00ff";

/// How an agent ended, and the failure it told.
struct Heard {
    failure: Option<Failure>,
    published: u32,
    ended: Result<(), AgentError>,
}

/// Lets an agent hear a deploy's *Hello*, these messages and then the end.
fn hear<M: Message>(reference: &TestHost, messages: &[M]) -> Heard {
    let destination = reference.at("host").into_os_string().into_encoded_bytes();
    let hello = Hello {
        destination,
        timeout_ms: 60_000,
        deletes: true,
        root_mode: 0o755,
        deploy: Some(Deploy::default()),
        ..Hello::default()
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
    let ended = agent.recv_timeout(WAIT_LIMIT).expect("the agent ends, without a panic");
    // A thread of it may hold its output open for a while yet; all it said is in the pipe.
    rustix::fs::fcntl_setfl(&from_agent, rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut said = Vec::new();
    let read = from_agent.read_to_end(&mut said);
    assert!(read.map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |_| true));
    let mut inbox = Inbox::<ToSender<'_>>::new().unwrap();
    inbox.receive(said.strip_prefix(format!("assetsync:{NONCE}:ready\n").as_bytes()).unwrap());
    let mut heard = Heard { failure: None, published: 0, ended };
    while inbox.ready().expect("an agent's words make sense") {
        match inbox.pop().unwrap() {
            Received::Failure(failure) => heard.failure = Some(failure),
            Received::Message(ToSender::Published(_)) => heard.published += 1,
            _ => {}
        }
    }
    heard
}

fn packed<M: Message>(messages: &[M]) -> Vec<u8> {
    let mut outbox = Outbox::new(3).unwrap();
    messages.iter().for_each(|message| outbox.send(message));
    outbox.flush();
    outbox.take()
}

/// By position: `a.txt`, `dir`, `dir/b.txt`. One content is set aside, the history is `history`.
fn deployed(reference: &TestHost) {
    let source = reference.write("src", &[("a.txt", "old a"), ("dir/b.txt", "b")]);
    let mut decision = writing(0, b"history");
    reference.deploy(&source, "host", None, decision.clone());
    let source = reference.write("src", &[("a.txt", "a"), ("dir/b.txt", "b")]);
    decision = setting_aside("a.txt", "old a");
    reference.deploy(&source, "host", None, decision);
}

fn copy(name: &str, from: Basis, content: &[u8]) -> ToAgent<'static> {
    let what = ActionKind::File(FileAction {
        size: content.len() as u64,
        mode: 0o644,
        mtime: Mtime { secs: 1_700_000_000, nanos: 5 },
        digest: Some(Digest::of(content)),
        recipe: Recipe::Copy { from },
        rank: PublishRank::Ordinary,
    });
    ToAgent::Action(WireAction { place: ActionPath::New(path(name)), what })
}

fn to_retain(known: u32) -> ToAgent<'static> {
    ToAgent::Retain { known: Index::new(known), digest: Digest::of(b"a") }
}

/// Messages that break the protocol, and what the agent says of it.
fn breaches() -> Vec<(&'static str, Vec<ToAgent<'static>>, &'static str)> {
    use ToAgent::*;
    let planned = |more: &[ToAgent<'static>]| [&[PlanEnd], more].concat();
    let piece = || HistoryChunk(b"piece");
    let retained_contents = |retained_contents| DropRetained { retained_contents };
    let staged =
        |more: &[ToAgent<'static>]| planned(&[&[ContentEnd { publish: false }], more].concat());
    let live =
        |more: &[ToAgent<'static>]| planned(&[&[ContentEnd { publish: true }], more].concat());
    let prune =
        || Action(WireAction { place: ActionPath::New(path("x")), what: ActionKind::Prune });
    vec![
        ("more of the history than it has", planned(&[History { keep: 8 }]), "shorter than what"),
        ("two histories", planned(&[History { keep: 0 }, History { keep: 0 }]), "two histories"),
        ("piece of no history", planned(&[piece()]), "a piece of no history"),
        (
            "empty piece",
            planned(&[History { keep: 0 }, HistoryChunk(b"")]),
            "a piece of no history",
        ),
        ("setting a directory aside", planned(&[to_retain(1)]), "no file"),
        ("setting nothing aside", planned(&[to_retain(3)]), "no file"),
        ("the last position", planned(&[to_retain(10_000_000)]), "no file"),
        ("setting aside twice", planned(&[to_retain(2), to_retain(2)]), "out of order"),
        ("setting aside backwards", planned(&[to_retain(2), to_retain(0)]), "out of order"),
        ("dropping nothing", planned(&[retained_contents(Index::new(1))]), "not retained"),
        (
            "dropping twice",
            planned(&[retained_contents(Index::new(0)), retained_contents(Index::new(0))]),
            "not retained",
        ),
        ("the last aside", planned(&[retained_contents(Index::new(16_384))]), "not retained"),
        ("before the plan", vec![to_retain(0)], "instead of a plan"),
        (
            "in the plan",
            vec![copy("x", Basis::Existing(Index::new(0)), b"a"), to_retain(0)],
            "in a plan",
        ),
        ("after staging", staged(&[to_retain(0)]), "after staging"),
        ("history after staging", staged(&[History { keep: 0 }]), "after staging"),
        ("pruning what is staged", staged(&[Prune]), "after staging"),
        ("pruning unstaged", planned(&[Prune]), "between files"),
        ("pruning nothing", vec![Prune], "instead of a plan"),
        ("publishing twice", live(&[Publish]), "after publishing"),
        ("a plan after publishing", live(&[PlanEnd]), "after publishing"),
        (
            "aside as basis",
            vec![copy("x", Basis::Retained(Index::new(1)), b"a"), PlanEnd],
            "not there",
        ),
        ("delete of nothing", vec![prune(), PlanEnd], "not there"),
    ]
}

#[test]
fn a_sender_that_breaks_the_protocol_of_a_deploy_is_refused() {
    let reference = TestHost::new();
    deployed(&reference);
    let before = (reference.files("host"), reference.files(".assetsync-host/aside"));
    let mut wrong = Vec::new();
    for (name, messages, expected) in breaches() {
        let heard = hear(&reference, &messages);
        let said = heard.failure.map(|failure| failure.text).unwrap_or_default();
        let after = (reference.files("host"), reference.files(".assetsync-host/aside"));
        if !said.contains(expected) || heard.ended.is_ok() || after != before {
            wrong.push(format!("{name}: {said:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(fs::read(reference.at(".assetsync-host/history")).unwrap(), b"history");
}

#[test]
fn a_history_over_its_limit_is_refused_while_it_comes() {
    let reference = TestHost::new();
    deployed(&reference);
    let piece = vec![0; 32 * 1024];
    let mut messages = vec![ToAgent::PlanEnd, ToAgent::History { keep: 1 }];
    messages.extend((0..2048).map(|_| ToAgent::HistoryChunk(&piece)));
    let heard = hear(&reference, &messages);
    assert!(heard.failure.unwrap().text.contains("too long a history"));
    assert_eq!(fs::read(reference.at(".assetsync-host/history")).unwrap(), b"history");
    // One byte less is none too many.
    messages[1] = ToAgent::History { keep: 0 };
    messages.extend([ToAgent::ContentEnd { publish: true }, ToAgent::Quit]);
    let heard = hear(&reference, &messages);
    assert_eq!((heard.published, heard.ended.is_ok()), (1, true));
    assert_eq!(fs::metadata(reference.at(".assetsync-host/history")).unwrap().len(), 64 << 20);
}

#[test]
fn links_planted_in_the_work_directory_are_not_followed() {
    let reference = TestHost::new();
    deployed(&reference);
    let secret = Digest::of(b"secret");
    fs::write(reference.at("secret"), "secret").unwrap();
    let retained_contents = reference.at(".assetsync-host/aside");
    symlink(reference.at("secret"), retained_contents.join(secret.to_string())).unwrap();
    // It is not told of, so no position leads there; what is set aside takes its place and leaves
    // the target alone.
    let content = reference.write("src", &[("a.txt", "secret")]);
    reference.push(&content, "host", None);
    fs::write(reference.at("secret"), "kept").unwrap();
    let next = reference.write("src", &[("a.txt", "next")]);
    reference.deploy(&next, "host", None, setting_aside("a.txt", "secret"));
    assert_eq!(fs::read(reference.at("secret")).unwrap(), b"kept");
    assert!(fs::symlink_metadata(retained_contents.join(secret.to_string())).unwrap().is_file());
    // A planted directory is refused before anything is published.
    let before = reference.files("host");
    fs::rename(&retained_contents, reference.at("elsewhere")).unwrap();
    symlink(reference.at("elsewhere"), &retained_contents).unwrap();
    let elsewhere = reference.files("elsewhere");
    let last = reference.write("src", &[("a.txt", "last")]);
    let decision = setting_aside("a.txt", "next");
    let refused = reference.try_stage(&last, "host", &reference.connection(None), decision);
    assert!(matches!(refused.err(), Some(PushError::Agent(_))));
    assert_eq!((reference.files("host"), reference.files("elsewhere")), (before, elsewhere));
}

// ---- hostile agents ----

/// Lets the sender of a deploy hear these messages.
fn deploy_to<M: Message>(messages: &[M]) -> Result<(), PushError> {
    let reference = TestHost::new();
    reference.pretend(&packed(messages));
    let source = reference.write("src", &[("a.txt", "a")]);
    let connection = ConnectOptions { timeout: WAIT_LIMIT, ..reference.connection(None) };
    let staged = reference.try_stage(&source, "host", &connection, Decision::default())?;
    staged.publish()?.end(true).map(drop)
}

#[test]
fn an_agent_that_breaks_the_protocol_of_a_deploy_is_refused() {
    use ToSender::*;
    let statistics = AgentStatistics { free_bytes: Some(1 << 40), ..AgentStatistics::default() };
    let retained_contents = |byte| {
        Retained(assetsync_core::state::RetainedContent { digest: Digest([byte; 32]), size: 1 })
    };
    let too_many: Vec<ToSender<'_>> = (0..=16_384).map(|_| retained_contents(1)).collect();
    let piece = vec![0; 32 * 1024];
    let too_long: Vec<ToSender<'_>> = (0..2049).map(|_| HistoryChunk(&piece)).collect();
    let cases: BTreeMap<&str, Vec<ToSender<'_>>> = [
        ("a history nobody named", vec![HistoryKnown, StateEnd(statistics)]),
        ("known after pieces", vec![HistoryChunk(b"x"), HistoryKnown, StateEnd(statistics)]),
        ("an empty piece", vec![HistoryChunk(b""), StateEnd(statistics)]),
        ("too much set aside", too_many),
        ("too long a history", too_long),
        ("history after the state", vec![StateEnd(statistics), HistoryChunk(b"x")]),
        ("aside after the state", vec![StateEnd(statistics), retained_contents(1)]),
        ("published unasked", vec![StateEnd(statistics), Published(statistics)]),
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
fn messages_of_the_other_direction_are_refused_in_a_deploy() {
    let refused = deploy_to(&[ToAgent::Prune]);
    assert!(matches!(refused, Err(PushError::Inbox(_))), "{refused:?}");
    let reference = TestHost::new();
    deployed(&reference);
    let heard = hear(&reference, &[ToSender::HistoryKnown]);
    assert_eq!(heard.failure.map(|failure| failure.code), Some(FailureCode::Protocol));
}

#[test]
fn the_history_is_sent_only_on_request() {
    let reference = TestHost::new();
    let statistics = AgentStatistics { free_bytes: Some(1 << 40), ..AgentStatistics::default() };
    for message in [ToSender::HistoryChunk(b"x"), ToSender::HistoryKnown] {
        reference.pretend(&packed(&[message, ToSender::StateEnd(statistics)]));
        let source = reference.write("src", &[("a.txt", "a")]);
        let (target, connection) = (reference.target("host"), reference.connection(None));
        let options = &reference.options;
        let pushed = assetsync_sync::internals::push(
            &source,
            &target,
            &connection,
            options,
            &reference.notices,
        );
        assert!(matches!(pushed, Err(PushError::Protocol(_))), "{pushed:?}");
    }
}

#[test]
fn a_dry_run_receives_the_history_but_cannot_change_anything() {
    let reference = TestHost::new();
    deployed(&reference);
    let found =
        survey(&reference.target("host"), &reference.connection(None), &reference.notices).unwrap();
    assert_eq!((found.history.as_slice(), found.retained_contents.len()), (&b"history"[..], 1));
    assert_eq!(reference.files("host"), files(&[("a.txt", "a"), ("dir/b.txt", "b")]));
    let mode = fs::metadata(reference.at(".assetsync-host/aside")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
