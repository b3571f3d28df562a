//! What a hostile agent may say to a sender.

use std::fs::{self};

use assetsync_core::digest::ShortDigest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::index::Index;
use assetsync_core::protocol::{
    AgentStatistics, Failure, FrameKind, Outbox, ToSender, put_bytes, put_frame,
};
use assetsync_core::state::RemoteEntry;
use assetsync_sync::PushError;

use crate::client::Client;
use crate::support::*;

fn entry(name: &str, size: u64) -> ToSender<'static> {
    let kind = Kind::File { size };
    let entry = Entry { path: path(name), kind, mode: 0o644, mtime: Mtime::default() };
    ToSender::Entry(RemoteEntry { entry, digest: None })
}

fn state_end() -> ToSender<'static> {
    ToSender::StateEnd(AgentStatistics { free_bytes: Some(1 << 40), ..AgentStatistics::default() })
}

/// A destination with a `dir/b.txt` that the sender will want the signature of.
fn surveyed() -> Vec<ToSender<'static>> {
    vec![entry("dir/b.txt", 6000), state_end()]
}

#[test]
fn an_agent_that_breaks_the_protocol_is_refused() {
    use ToSender::*;
    let client = Client::new();
    let surveyed = |more: &[ToSender<'static>]| [&surveyed()[..], more].concat();
    let empty = |more: &[ToSender<'static>]| [&[state_end()], more].concat();
    let same = Compared(true);
    let leftover =
        Partial(assetsync_core::state::Partial { digest: ShortDigest([1; 16]), size: 1 << 44 });
    let cases = [
        ("out of order", vec![entry("b", 1), entry("a", 1), state_end()]),
        ("twice", vec![entry("a", 1), entry("a", 1), state_end()]),
        ("below before above", vec![entry("a/b", 1), entry("a", 1), state_end()]),
        ("answer unasked", vec![same.clone()]),
        ("published nothing", empty(&[Published(AgentStatistics::default())])),
        ("state in the middle", empty(&[entry("a", 1)])),
        ("signature unasked", empty(&[Signature { basis_bytes: 1 }])),
        (
            "signature of too many blocks",
            surveyed(&[Signature { basis_bytes: 1 }, Blocks(&[0; 100])]),
        ),
        ("blocks without a signature", surveyed(&[Blocks(&[0; 8])])),
        ("basis larger than any", surveyed(&[Signature { basis_bytes: 1 << 44 }])),
        ("more answers than questions", surveyed(&[Unreadable, Unreadable])),
        ("the same, unasked", surveyed(&[same, AnswersEnd])),
        ("failure of no file", empty(&[Failed { action: Index::new(9_999_999) }, StagedEnd])),
        ("failure of a directory", empty(&[Failed { action: Index::new(1) }, StagedEnd])),
        ("blocks while staging", empty(&[Blocks(&[0; 8])])),
        ("late leftover", empty(&[leftover])),
    ];
    let mut wrong = Vec::new();
    for (name, messages) in cases {
        let pushed = client.hear_messages(&messages, "cat > /dev/null");
        if !matches!(pushed, Err(PushError::Protocol(_))) {
            wrong.push(format!("{name}: {pushed:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn bytes_from_an_agent_that_are_no_messages_are_refused() {
    let client = Client::new();
    let raw_entry = |name: &[u8]| {
        let mut plain = vec![32, 0b0001_1000, 0];
        put_bytes(&mut plain, name);
        plain.push(0);
        packed_raw(&plain)
    };
    let mut frame = Vec::new();
    put_frame(&mut frame, FrameKind::Stored, b"stored");
    let cases: [(&str, Script); 11] = [
        ("..", raw_entry(b"../x")),
        ("absolute", raw_entry(b"/etc/passwd")),
        ("NUL", raw_entry(b"a\0b")),
        (
            "huge size",
            packed_raw(&[32, 0x18, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ),
        ("unknown message", packed_raw(&[99])),
        ("message of a sender", packed_raw(&[4])),
        ("shared path", packed_raw(&[32, 0x18, 200, 1, 1, b'a', 0])),
        ("unknown frame", vec![77, 0, 0, 0]),
        ("long frame", vec![1, 255, 255, 255]),
        ("stored content", frame),
        ("no zstd", [&[1, 9, 0, 0][..], b"not zstd!"].concat()),
    ];
    for (name, bytes) in cases {
        let pushed = client.hear(&bytes, "cat > /dev/null");
        let refused = matches!(pushed, Err(PushError::Protocol(_) | PushError::Inbox(_)));
        assert!(refused, "{name}: {pushed:?}");
    }
}

#[test]
fn an_agent_that_never_ends_is_left() {
    use ToSender::*;
    let client = Client::new();
    let said = client.at("said");
    let forever = format!("while cat '{}'; do :; done 2>&-", said.display());
    // Blocks that hold nothing, and more failures than there are files.
    let empty_blocks = packed_raw(&[37, 0].repeat(10_000));
    let failures = packed_raw(&[40, 0].repeat(10_000));
    for (name, first, endless) in [
        (
            "empty blocks",
            [&surveyed()[..], &[Signature { basis_bytes: 6000 }]].concat(),
            empty_blocks,
        ),
        ("failures", vec![state_end()], failures),
    ] {
        let head = client.at("head");
        let mut outbox = Outbox::new(1).unwrap();
        first.iter().for_each(|message| outbox.send(message));
        // Ends the zstd frame, for another one follows.
        outbox.tune(1, 20).unwrap();
        outbox.flush();
        fs::write(&head, outbox.take()).unwrap();
        fs::write(&said, endless).unwrap();
        let head = head.display();
        let pushed = client.push_to(&format!(
            "echo \"assetsync:$nonce:ready\"; cat '{head}'; cat > /dev/null & {forever}"
        ));
        assert!(matches!(pushed, Err(PushError::Protocol(_))), "{name}: {pushed:?}");
    }
}

#[test]
fn an_agent_that_falls_silent_or_leaves_is_given_up() {
    let client = Client::new();
    for messages in [vec![], vec![entry("a", 1)], surveyed(), vec![state_end()]] {
        let pushed = client.hear_messages(&messages, "exit 3");
        assert!(matches!(pushed, Err(PushError::Closed(_))), "{messages:?}: {pushed:?}");
    }
    let pushed = client.hear_messages(&surveyed(), "exec sleep 600");
    assert!(matches!(pushed, Err(PushError::Timeout(_))), "{pushed:?}");
    let failure = Failure {
        code: assetsync_core::protocol::FailureCode::NoSpace,
        text: "full \u{1b}[2J".into(),
    };
    let mut outbox = Outbox::new(1).unwrap();
    outbox.fail(&failure);
    let pushed = client.hear(&outbox.take(), "cat > /dev/null");
    let said = pushed.unwrap_err().to_string();
    assert!(said.contains("full") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_is_said_by_the_wrong_name_is_never_sent() {
    use ToSender::*;
    // An agent can only ask for positions of the plan, and gets the file the plan has there, whole.
    let client = Client::new();
    let answers = vec![
        Failed { action: Index::new(0) },
        StagedEnd,
        StagedEnd,
        Published(AgentStatistics::default()),
    ];
    let heard = client.at("heard");
    let after = format!("cat > '{}'", heard.display());
    let pushed = client.hear_messages(&[vec![state_end()], answers].concat(), &after).unwrap();
    assert_eq!(pushed.retried, 1);
}
