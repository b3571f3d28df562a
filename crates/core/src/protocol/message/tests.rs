use super::*;
use crate::delta::SignatureSpec;
use crate::entry::{Entry, Kind};
use crate::path::RelPath;
use crate::plan::{ActionKind, ActionPath, FileAction};
use crate::recipe::{Basis, Recipe, Reference};
use crate::state::StateId;

const MTIME: Mtime = Mtime { secs: 1, nanos: 300 };

fn path(text: &str) -> RelPath {
    RelPath::new(text.as_bytes()).unwrap()
}

fn file(recipe: Recipe) -> ActionKind {
    let digest = Some(Digest([0xdd; 32]));
    ActionKind::File(FileAction {
        size: 5,
        mode: 0o644,
        mtime: MTIME,
        digest,
        recipe,
        entry_point: true,
    })
}

fn entry(kind: Kind) -> RemoteEntry {
    let entry = Entry { path: path("ab"), kind, mode: 0o644, mtime: MTIME };
    RemoteEntry { entry, digest: None }
}

/// The messages of `docs/protocol.md`, each from a fresh memory, with its bytes.
fn golden() -> Vec<(Message<'static>, Vec<u8>)> {
    let spec = SignatureSpec { block_bytes: 1024, strong_bytes: 2 };
    let short = ShortDigest([0xee; 16]);
    let eight = ShortDigest([[0xee; 8], [0; 8]].concat().try_into().unwrap());
    let (d32, e16) = ([0xdd; 32], [0xee; 16]);
    let state = Some(StateId([0xaa; 16]));
    let statistics = AgentStatistics {
        peak_rss_bytes: 1,
        free_bytes: Some(127),
        files_read: 9,
        index_is_stale: true,
        state,
        ..AgentStatistics::default()
    };
    let told = AgentStatistics {
        clock_secs: 300,
        writable: true,
        pushed_before: true,
        ..AgentStatistics::default()
    };
    let order = |place, what| Message::Action(WireAction { place, what });
    let reference = Reference { basis: Basis::Partial(2), rewritten: false };
    let delta = Recipe::Delta { reference, block_bytes: 1024 };
    let rewritten = Reference { basis: Basis::Existing(2), rewritten: true };
    let rename = Rename { known: 3, start: 5, length: 2, new: b"xyz".to_vec() };
    let part = PrefixPart { reference: rewritten, offset: 300, length: 9 };
    vec![
        (
            Message::Query(Query {
                known: 3,
                expected: Some(short),
                signature: Some(spec),
                rewritten: false,
            }),
            [&[1, 3, 6][..], &e16, &[10, 2]].concat(),
        ),
        (
            Message::Query(Query {
                known: 3,
                expected: Some(eight),
                signature: None,
                rewritten: true,
            }),
            [&[1, 5, 6][..], &[0xee; 8]].concat(),
        ),
        (Message::Alias { path: path("a"), other: path("b") }, vec![24, 1, b'a', 1, b'b']),
        (Message::QueriesEnd, vec![2]),
        (
            order(ActionPath::New(path("d")), ActionKind::Dir { mode: 0o700 }),
            vec![3, 1, 0, 1, b'd', 0xc0, 3],
        ),
        (
            order(ActionPath::Existing(2), file(Recipe::Whole)),
            [&[3, 96, 4, 0xa4, 3, 2, 0xac, 2, 4, 5][..], &d32].concat(),
        ),
        (
            order(ActionPath::Existing(0), file(delta)),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 3, 1, 2, 0x80, 8, 5][..], &d32].concat(),
        ),
        (
            order(ActionPath::Renamed(1), file(Recipe::Patch { reference: rewritten })),
            [&[3, 160, 2, 0xa4, 3, 2, 0xac, 2, 14, 0, 2, 5][..], &d32].concat(),
        ),
        (
            order(ActionPath::Existing(0), file(Recipe::Rewrite { basis: Basis::Existing(2) })),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 5, 0, 2, 5][..], &d32].concat(),
        ),
        (
            order(ActionPath::Existing(0), file(Recipe::Regzip { plain: Basis::Planned(2) })),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 7, 2, 2, 5][..], &d32].concat(),
        ),
        (order(ActionPath::Existing(1), ActionKind::Delete), vec![3, 67, 2]),
        (order(ActionPath::Existing(1), ActionKind::Prune), vec![3, 99, 2]),
        (
            order(ActionPath::Existing(1), ActionKind::Respell { to: path("ab") }),
            vec![3, 75, 2, 2, b'a', b'b'],
        ),
        (
            order(ActionPath::Existing(0), file(Recipe::Copy { from: Basis::Retained(2) })),
            [&[3, 96, 0, 0xa4, 3, 2, 0xac, 2, 2, 3, 2, 5][..], &d32].concat(),
        ),
        (Message::PlanEnd, vec![4]),
        (Message::FileStart { action: 7 }, vec![5, 7]),
        (Message::Literal(b"abc"), vec![6, 3, b'a', b'b', b'c']),
        (Message::Copy { offset: 10, length: 3 }, vec![7, 20, 3]),
        (Message::Stored { length: 300 }, vec![8, 0xac, 2]),
        (Message::FileEnd, vec![9]),
        (Message::FileAbort, vec![10]),
        (Message::ContentEnd { publish: true }, vec![11, 1]),
        (
            Message::Amend { action: 1, size: 5, mtime: MTIME, digest: Digest(d32) },
            [&[12, 1, 5, 2, 0xac, 2][..], &d32].concat(),
        ),
        (Message::Publish, vec![13]),
        (Message::Quit, vec![14]),
        (Message::Rename(rename), vec![15, 6, 5, 2, 3, b'x', b'y', b'z']),
        (Message::Substitute { old: b"a", new: b"bc" }, vec![16, 1, b'a', 2, b'b', b'c']),
        (Message::PrefixPart(part), vec![17, 8, 0, 2, 0xac, 2, 9]),
        (Message::Prefix { check: [7; 8] }, [&[18][..], &[7; 8]].concat()),
        (Message::Retain { known: 300, digest: Digest(d32) }, [&[19, 0xac, 2][..], &d32].concat()),
        (Message::DropRetained { retained_contents: 3 }, vec![20, 3]),
        (Message::History { keep: 300 }, vec![21, 0xac, 2]),
        (Message::HistoryChunk(b"h"), vec![22, 1, b'h']),
        (Message::Prune, vec![23]),
        (
            Message::Entry(entry(Kind::File { size: 9 })),
            vec![32, 0, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 9],
        ),
        (
            Message::Entry(entry(Kind::Symlink { target: b"t".to_vec() })),
            vec![32, 2, 0, 2, b'a', b'b', 0xa4, 3, 2, 0xac, 2, 1, b't'],
        ),
        (Message::Partial(Partial { digest: short, size: 1 }), [&[33, 1][..], &e16].concat()),
        (Message::StateEnd(statistics), [&[34, 1, 0x80, 1, 9, 3][..], &[0xaa; 16]].concat()),
        (Message::Compared(true), vec![35, 1]),
        (Message::Signature { basis_bytes: 2 }, vec![36, 2]),
        (Message::Blocks(b"x"), vec![37, 1, b'x']),
        (Message::Unreadable, vec![38]),
        (Message::AnswersEnd, vec![39]),
        (Message::Failed { action: 4 }, vec![40, 4]),
        (Message::StagedEnd, vec![41]),
        (Message::Notice(b"n"), vec![42, 1, b'n']),
        (Message::Published(AgentStatistics::default()), vec![43, 0, 0, 0, 0]),
        (Message::Unchanged { count: 300 }, vec![44, 0xac, 2]),
        (Message::Removed { count: 1 }, vec![45, 1]),
        (Message::HistoryKnown, vec![46]),
        (
            Message::Retained(RetainedContent { digest: Digest(d32), size: 9 }),
            [&[47, 9][..], &d32].concat(),
        ),
        (Message::StateEnd(told), vec![34, 0, 0, 0, 28, 0xd8, 4]),
    ]
}

#[test]
fn messages_are_the_bytes_the_protocol_document_says() {
    for (message, bytes) in golden() {
        let mut out = Vec::new();
        message.encode(&mut out, &mut CodecContext::default());
        assert_eq!(out, bytes, "{message:?}");
        let mut fields = Fields(&bytes);
        assert_eq!(Message::decode(&mut fields, &mut CodecContext::default()), Ok(message));
        assert_eq!(fields.end(), Ok(()));
    }
}

#[test]
fn a_cut_message_asks_for_more_and_changes_nothing() {
    for (message, bytes) in golden() {
        for end in 0..bytes.len() {
            let mut codec_context = CodecContext::default();
            let cut = Message::decode(&mut Fields(&bytes[..end]), &mut codec_context);
            assert_eq!(cut, Err(DecodeError::UnexpectedEnd), "{message:?} cut at {end}");
            assert_eq!(format!("{codec_context:?}"), format!("{:?}", CodecContext::default()));
        }
    }
}

#[test]
fn numbers_over_their_limits_are_refused() {
    let bad: [&[u8]; 13] = [
        &[0],                                                       // unknown tag
        &[99],                                                      // unknown tag
        &[6, 0x81, 0x80, 2],                                        // literal over 32,768 bytes
        &[8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // stored over 16 TiB
        &[1, 2, 0, 5, 2],                                           // blocks of 32 bytes
        &[1, 8, 0],                                                 // unknown question
        &[5, 0xff, 0xff, 0xff, 0xff, 0xf],                          // position over ten million
        &[11, 2],                                                   // flag that is neither
        &[19, 0xff, 0xff, 0xff, 0xff, 0xf],                         // position over ten million
        &[20, 0x81, 0x80, 1],                                       // over 16,384 set aside
        &[21, 0x81, 0x80, 0x80, 0x20],                              // history over 64 MiB
        &[22, 0x81, 0x80, 2],                                       // piece over 32,768 bytes
        &[34, 0, 0, 0, 32],                                         // unknown vitals
    ];
    for bytes in bad {
        let refused = Message::decode(&mut Fields(bytes), &mut CodecContext::default());
        assert!(
            !matches!(refused, Ok(_) | Err(DecodeError::UnexpectedEnd)),
            "{bytes:?}: {refused:?}"
        );
    }
}
