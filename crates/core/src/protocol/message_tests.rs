//! The bytes of all messages, as `docs/protocol.md` has them.

use super::*;
use crate::delta::SignatureSpec;
use crate::digest::{Digest, ShortDigest};
use crate::entry::{Entry, Kind, Mtime};
use crate::index::Index;
use crate::path::RelPath;
use crate::plan::{
    ActionKind, ActionPath, FileAction, PrefixPart, PublishRank, Rename, WireAction,
};
use crate::recipe::{Basis, Recipe, Reference};
use crate::state::{HistoryId, Partial, RemoteEntry, RetainedContent, StateId};

const MTIME: Mtime = Mtime { secs: 1, nanos: 300 };
const SHORT: ShortDigest = ShortDigest([0xee; 16]);
const D32: [u8; 32] = [0xdd; 32];
const E16: [u8; 16] = [0xee; 16];

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

fn file(recipe: Recipe) -> ActionKind {
    let digest = Some(Digest(D32));
    ActionKind::File(FileAction {
        size: 5,
        mode: 0o644,
        mtime: MTIME,
        digest,
        recipe,
        rank: PublishRank::Naming,
    })
}

fn entry(kind: Kind) -> RemoteEntry {
    let entry = Entry { path: path("ab"), kind, mode: 0o644, mtime: MTIME };
    RemoteEntry { entry, digest: None }
}

/// The messages to the agent, each with an empty codec context, and their bytes.
pub(crate) fn to_agent() -> Vec<(ToAgent<'static>, Vec<u8>)> {
    let spec = SignatureSpec { block_bytes: 1024, strong_bytes: 2 };
    let (short, d32, e16) = (SHORT, D32, E16);
    let eight = ShortDigest([[0xee; 8], [0; 8]].concat().try_into().unwrap());
    let action = |place, what| ToAgent::Action(WireAction { place, what });
    let reference = Reference { basis: Basis::Partial(Index::new(2)), rewritten: false };
    let delta = Recipe::Delta { reference, block_bytes: 1024 };
    let rewritten = Reference { basis: Basis::Existing(Index::new(2)), rewritten: true };
    let rename = Rename { known: Index::new(3), start: 5, length: 2, new: b"xyz".to_vec() };
    let part = PrefixPart { reference: rewritten, offset: 300, length: 9 };
    vec![
        (
            ToAgent::Query(Query {
                known: Index::new(3),
                expected: Some(short),
                signature: Some(spec),
                rewritten: false,
            }),
            [&[1, 3, 6][..], &e16, &[10, 2]].concat(),
        ),
        (
            ToAgent::Query(Query {
                known: Index::new(3),
                expected: Some(eight),
                signature: None,
                rewritten: true,
            }),
            [&[1, 5, 6][..], &[0xee; 8]].concat(),
        ),
        (ToAgent::Alias { path: path("a"), other: path("b") }, vec![24, 1, b'a', 1, b'b']),
        (ToAgent::QueriesEnd, vec![2]),
        (
            action(ActionPath::New(path("d")), ActionKind::Dir { mode: 0o700 }),
            vec![3, 1, 0, 1, b'd', 0xc0, 3],
        ),
        (
            action(ActionPath::Existing(Index::new(2)), file(Recipe::Whole)),
            [&[3, 96, 4, 0xa4, 3, 2, 0xac, 2, 4, 5][..], &d32].concat(),
        ),
        (
            action(ActionPath::Existing(Index::new(0)), file(delta)),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 3, 1, 2, 0x80, 8, 5][..], &d32].concat(),
        ),
        (
            action(
                ActionPath::Renamed(Index::new(1)),
                file(Recipe::Patch { reference: rewritten }),
            ),
            [&[3, 160, 2, 0xa4, 3, 2, 0xac, 2, 14, 0, 2, 5][..], &d32].concat(),
        ),
        (
            action(
                ActionPath::Existing(Index::new(0)),
                file(Recipe::Rewrite { basis: Basis::Existing(Index::new(2)) }),
            ),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 5, 0, 2, 5][..], &d32].concat(),
        ),
        (
            action(
                ActionPath::Existing(Index::new(0)),
                file(Recipe::Regzip { plain: Basis::Planned(Index::new(2)) }),
            ),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 7, 2, 2, 5][..], &d32].concat(),
        ),
        (action(ActionPath::Existing(Index::new(1)), ActionKind::Delete), vec![3, 67, 2]),
        (action(ActionPath::Existing(Index::new(1)), ActionKind::Prune), vec![3, 99, 2]),
        (
            action(ActionPath::Existing(Index::new(1)), ActionKind::Respell { to: path("ab") }),
            vec![3, 75, 2, 2, b'a', b'b'],
        ),
        (
            action(
                ActionPath::Existing(Index::new(0)),
                file(Recipe::Copy { from: Basis::Retained(Index::new(2)) }),
            ),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 2, 3, 2, 5][..], &d32].concat(),
        ),
        (ToAgent::PlanEnd, vec![4]),
        (ToAgent::FileStart { action: Index::new(7) }, vec![5, 7]),
        (ToAgent::Literal(b"abc"), vec![6, 3, b'a', b'b', b'c']),
        (ToAgent::Copy { offset: 10, length: 3 }, vec![7, 20, 3]),
        (ToAgent::Stored { length: 300 }, vec![8, 0xac, 2]),
        (ToAgent::FileEnd, vec![9]),
        (ToAgent::FileAbort, vec![10]),
        (ToAgent::ContentEnd { publish: true }, vec![11, 1]),
        (
            ToAgent::Amend { action: Index::new(1), size: 5, mtime: MTIME, digest: Digest(d32) },
            [&[12, 1, 5, 2, 0xac, 2][..], &d32].concat(),
        ),
        (ToAgent::Publish, vec![13]),
        (ToAgent::Quit, vec![14]),
        (ToAgent::Rename(rename), vec![15, 6, 5, 2, 3, b'x', b'y', b'z']),
        (
            ToAgent::Substitute { old: b"a".to_vec(), new: b"bc".to_vec() },
            vec![16, 1, b'a', 2, b'b', b'c'],
        ),
        (ToAgent::PrefixPart(part), vec![17, 8, 0, 2, 0xac, 2, 9]),
        (ToAgent::Prefix { check: [7; 8] }, [&[18][..], &[7; 8]].concat()),
        (
            ToAgent::Retain { known: Index::new(300), digest: Digest(d32) },
            [&[19, 0xac, 2][..], &d32].concat(),
        ),
        (ToAgent::DropRetained { retained_contents: Index::new(3) }, vec![20, 3]),
        (ToAgent::History { keep: 300 }, vec![21, 0xac, 2]),
        (ToAgent::HistoryChunk(b"h"), vec![22, 1, b'h']),
        (ToAgent::Prune, vec![23]),
    ]
}

/// The messages to the sender, each with an empty codec context, and their bytes.
pub(crate) fn to_sender() -> Vec<(ToSender<'static>, Vec<u8>)> {
    let (short, d32, e16) = (SHORT, D32, E16);
    let statistics = AgentStatistics {
        peak_rss_bytes: 1,
        free_bytes: Some(127),
        files_read: 9,
        index_is_stale: true,
        state: Some(StateId([0xaa; 16])),
        ..AgentStatistics::default()
    };
    let at_a_deploy = AgentStatistics {
        clock_secs: 300,
        writable: true,
        pushed_before: true,
        ..AgentStatistics::default()
    };
    let unfinished = AgentStatistics { unfinished: true, ..AgentStatistics::default() };
    let own = LockReport::Own { directory: e16, is_busy: true, before: Some(300) };
    vec![
        (
            ToSender::Entry(entry(Kind::File { size: 9 })),
            vec![32, 0, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 9],
        ),
        (
            ToSender::Entry(entry(Kind::Symlink { target: b"t".to_vec() })),
            vec![32, 2, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 1, b't'],
        ),
        (ToSender::Partial(Partial { digest: short, size: 1 }), [&[33, 1][..], &e16].concat()),
        (ToSender::StateEnd(statistics), [&[34, 1, 0x80, 1, 9, 3][..], &[0xaa; 16]].concat()),
        (ToSender::Compared(true), vec![35, 1]),
        (ToSender::Signature { basis_bytes: 2 }, vec![36, 2]),
        (ToSender::Blocks(b"x"), vec![37, 1, b'x']),
        (ToSender::Unreadable, vec![38]),
        (ToSender::AnswersEnd, vec![39]),
        (ToSender::Failed { action: Index::new(4) }, vec![40, 4]),
        (ToSender::StagedEnd, vec![41]),
        (ToSender::Notice(b"n"), vec![42, 1, b'n']),
        (ToSender::Held(b"h"), vec![50, 1, b'h']),
        (ToSender::Published(AgentStatistics::default()), vec![43, 0, 0, 0, 0]),
        (ToSender::Unchanged { count: 300 }, vec![44, 0xac, 2]),
        (ToSender::Removed { count: 1 }, vec![45, 1]),
        (ToSender::HistoryKnown, vec![46]),
        (
            ToSender::Retained(RetainedContent { digest: Digest(d32), size: 9 }),
            [&[47, 9][..], &d32].concat(),
        ),
        (ToSender::StateEnd(at_a_deploy), vec![34, 0, 0, 0, 28, 0xd8, 4]),
        (ToSender::StateEnd(unfinished), vec![34, 0, 0, 0, 32]),
        (ToSender::HistoryPath(b"/h"), vec![49, 2, b'/', b'h']),
        (ToSender::Lock(LockReport::HeldBy { member: 300 }), vec![48, 0, 0xac, 2]),
        (ToSender::Lock(own), [&[48, 7][..], &e16, &[0xac, 2]].concat()),
    ]
}

fn assert_bytes<M: Message>(message: &M, bytes: &[u8]) {
    let mut out = Vec::new();
    message.encode(&mut out, &mut CodecContext::default());
    assert_eq!(out, bytes, "{message:?}");
    let mut fields = Fields(bytes);
    let (decoded, bytes) = M::decode(&mut fields, &mut CodecContext::default()).unwrap();
    assert_eq!(format!("{:?}", M::with_bytes(decoded, bytes)), format!("{message:?}"));
    assert_eq!(fields.end(), Ok(()));
}

#[test]
fn messages_have_the_bytes_of_the_protocol_document() {
    to_agent().iter().for_each(|(message, bytes)| assert_bytes(message, bytes));
    to_sender().iter().for_each(|(message, bytes)| assert_bytes(message, bytes));
}

fn assert_cut<M: Message>(message: &M, bytes: &[u8]) {
    for end in 0..bytes.len() {
        let mut codec_context = CodecContext::default();
        let cut = M::decode(&mut Fields(&bytes[..end]), &mut codec_context).map(|_| ());
        assert_eq!(cut, Err(DecodeError::UnexpectedEnd), "{message:?} cut at {end}");
        assert_eq!(codec_context, CodecContext::default(), "{message:?} cut at {end}");
    }
}

#[test]
fn a_cut_message_needs_more_bytes_and_changes_nothing() {
    to_agent().iter().for_each(|(message, bytes)| assert_cut(message, bytes));
    to_sender().iter().for_each(|(message, bytes)| assert_cut(message, bytes));
}

/// Why a message to the other side is refused: its tag is unknown.
fn assert_unknown<M: Message>(bytes: &[u8]) {
    let refused = M::decode(&mut Fields(bytes), &mut CodecContext::default()).map(|_| ());
    let value = u64::from(bytes[0]);
    assert_eq!(refused, Err(DecodeError::Unknown { what: "message", value }));
}

#[test]
fn messages_in_the_wrong_direction_are_refused_when_decoded() {
    let is_shared = |bytes: &[u8]| bytes[0] == 22;
    let to_agent = to_agent().into_iter().filter(|(_, bytes)| !is_shared(bytes));
    to_agent.for_each(|(_, bytes)| assert_unknown::<ToSender<'_>>(&bytes));
    let to_sender = to_sender().into_iter().filter(|(_, bytes)| !is_shared(bytes));
    to_sender.for_each(|(_, bytes)| assert_unknown::<ToAgent<'_>>(&bytes));
}

/// Errors name a message by its name alone, so no two may share one, and all are in the document.
#[test]
fn names_are_those_of_the_protocol_document() {
    let document = include_str!("../../../../docs/protocol.md");
    let to_agent: Vec<_> = to_agent().iter().map(|(m, bytes)| (bytes[0], m.name())).collect();
    let to_sender = to_sender();
    let all = to_agent.into_iter().chain(to_sender.iter().map(|(m, b)| (b[0], m.name())));
    for (tag, name) in all {
        assert!(document.contains(&format!("| {tag} | {name} |")), "{tag} {name}");
    }
}

#[test]
fn numbers_over_their_limits_are_refused() {
    let to_agent: [&[u8]; 12] = [
        &[0],                                                       // unknown tag
        &[99],                                                      // unknown tag
        &[6, 0x81, 0x80, 2],                                        // literal over 32,768 bytes
        &[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // stored over 16 TiB
        &[1, 2, 0, 5, 2],                                           // blocks of 32 bytes
        &[1, 8, 0],                                                 // unknown query
        &[5, 0xff, 0xff, 0xff, 0xff, 0xf],                          // index over ten million
        &[11, 2],                                                   // flag that is neither
        &[19, 0xff, 0xff, 0xff, 0xff, 0xf],                         // index over ten million
        &[20, 0x81, 0x80, 1],                                       // over 16,384 retained
        &[21, 0x81, 0x80, 0x80, 0x20],                              // history over 64 MiB
        &[22, 0x81, 0x80, 2],                                       // chunk over 32,768 bytes
    ];
    let to_sender: [&[u8]; 8] = [
        &[0],
        &[99],
        &[22, 0x81, 0x80, 2],       // chunk over 32,768 bytes
        &[37, 0x81, 0x80, 2],       // blocks over 32,768 bytes
        &[34, 0, 0, 0, 64],         // unknown flags of the statistics
        &[48, 0, 0x81, 0x80, 0x40], // member over 1,048,576
        &[48, 2],                   // busy, without the lock
        &[48, 9],                   // unknown flags of a lock
    ];
    to_agent.into_iter().for_each(assert_refused::<ToAgent<'_>>);
    to_sender.into_iter().for_each(assert_refused::<ToSender<'_>>);
}

fn assert_refused<M: Message>(bytes: &[u8]) {
    let refused = M::decode(&mut Fields(bytes), &mut CodecContext::default()).map(|_| ());
    assert!(!matches!(refused, Ok(()) | Err(DecodeError::UnexpectedEnd)), "{bytes:?}: {refused:?}");
}

/// Streams of protocol version 11: all messages to the agent with a stored content, and all to the
/// sender, each turn with its check; then a heartbeat and a failure.
const OLD_TO_AGENT: &[u8] = include_bytes!("../../tests/fixtures/to-agent");
const OLD_TO_SENDER: &[u8] = include_bytes!("../../tests/fixtures/to-sender");

/// Checks that `stream` has these messages, then `more`, then the failure.
fn assert_stream<M: Message>(stream: &[u8], expected: &[(M, Vec<u8>)], more: &[&str]) {
    let failure = Failure { code: FailureCode::NoSpace, text: "Disk full".into() };
    let expected = expected.iter().map(|(message, _)| format!("Message({message:?})"));
    let expected = expected.chain(more.iter().map(|text| (*text).to_owned()));
    let expected: Vec<_> = expected.chain([format!("Failure({failure:?})")]).collect();
    let mut inbox = Inbox::<M>::new().unwrap();
    let mut received = Vec::new();
    for byte in stream {
        inbox.receive(&[*byte]);
        while inbox.ready().unwrap() {
            received.push(format!("{:?}", inbox.pop().unwrap()));
        }
    }
    assert_eq!(received, expected);
}

#[test]
fn streams_of_version_11_are_still_read() {
    let stored =
        ["Message(Stored { length: 5 })", "Stored([98, 121, 116, 101, 115])", "Message(FileEnd)"];
    assert_stream(OLD_TO_AGENT, &to_agent(), &stored);
    assert_stream(OLD_TO_SENDER, &to_sender(), &[]);
}

#[test]
fn the_hello_lines_of_version_11_are_still_read_and_written() {
    let line = include_bytes!("../../tests/fixtures/hello");
    let hello = Hello {
        destination: b"~/shared/public/assets".to_vec(),
        dry_run: true,
        checksum: true,
        timeout_ms: 60_000,
        cached: Some(StateId([0xaa; 16])),
        whole_directory: true,
        deletes: true,
        root_mode: 0o775,
        who: b"ada@web".to_vec(),
        deploy: Some(Deploy { history: Some(HistoryId([0xbb; 16])) }),
        member: Some(RunMember { run: [0xcc; 12], number: 0x0d0d_0d0d }),
        files: Vec::new(),
    };
    assert_eq!(Hello::parse(line), Ok(hello.clone()));
    assert_eq!(hello.line(), line);
    let line = include_bytes!("../../tests/fixtures/hello-files");
    let files = ["app.js", "app.js.gz"].map(|name| RelPath::new(name.as_bytes()).unwrap()).into();
    let (cached, deploy) = (None, None);
    let files = Hello { cached, whole_directory: false, deletes: false, deploy, files, ..hello };
    assert_eq!(Hello::parse(line), Ok(files.clone()));
    assert_eq!(files.line(), line);
}
