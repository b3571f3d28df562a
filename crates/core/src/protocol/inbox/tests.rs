use std::time::Duration;

use super::*;
use crate::index::Index;
use crate::protocol::{Outbox, ToAgent, detached_frame, put_frame};

fn send_all(outbox: &mut Outbox) {
    outbox.send(&ToAgent::Literal(&[7; 1000]));
    outbox.send(&ToAgent::Stored { length: 70_000 });
    outbox.send_stored(&[5; 70_000]);
    (0..5000).for_each(|action| outbox.send(&ToAgent::FileStart { action: Index::new(action) }));
    (0..40).for_each(|_| outbox.send(&ToAgent::Literal(&[0; limits::LITERAL_BYTES])));
    outbox.tune(9, 22).unwrap();
    outbox.send(&ToAgent::Quit);
    outbox.flush();
}

/// The messages and stored bytes that an inbox returns for `bytes`, delivered in pieces.
fn deliver(bytes: &[u8], piece: usize) -> Result<Vec<String>, InboxError> {
    let (mut inbox, mut seen) = (Inbox::<ToAgent<'_>>::new().unwrap(), Vec::new());
    for piece in bytes.chunks(piece) {
        inbox.receive(piece);
        while inbox.ready()? {
            match inbox.pop()? {
                Received::Stored(bytes) => {
                    seen.extend(bytes.iter().map(|byte| format!("stored {byte}")))
                }
                other => seen.push(format!("{other:?}")),
            }
        }
    }
    Ok(seen)
}

#[test]
fn pieces_of_any_size_give_the_same_messages() {
    let mut outbox = Outbox::new(3).unwrap();
    send_all(&mut outbox);
    let bytes = outbox.take();
    let whole = deliver(&bytes, bytes.len()).unwrap();
    assert_eq!(whole.len(), 2 + 70_000 + 5000 + 40 + 1);
    for piece in [1, 2, 3, 7, 15, 100] {
        assert_eq!(deliver(&bytes, piece).unwrap(), whole, "pieces of {piece}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let mut outbox = Outbox::new(3).unwrap();
    (0..50).for_each(|action| outbox.send(&ToAgent::FileStart { action: Index::new(action) }));
    outbox.send(&ToAgent::Literal(b"some literal text, some literal text"));
    outbox.flush();
    let bytes = outbox.take();
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        let _ = deliver(&damaged, 64);
    }
}

#[test]
fn no_turn_ends_with_a_changed_bit_in_it() {
    let mut outbox = Outbox::new(3).unwrap();
    (0..5).for_each(|action| outbox.send(&ToAgent::FileStart { action: Index::new(action) }));
    outbox.send(&ToAgent::Stored { length: 3 });
    outbox.send_stored(b"abc");
    outbox.send(&ToAgent::ContentEnd { publish: true });
    let mut bytes = outbox.take();
    put_frame(&mut bytes, FrameKind::Heartbeat, &[]);
    let whole = deliver(&bytes, 64).unwrap();
    assert_eq!(whole.len(), 5 + 1 + 3 + 1);
    let ends = |seen: &[String]| seen.iter().any(|it| it.contains("ContentEnd"));
    // Stored content is checked with its file, and a heartbeat says nothing.
    let stored = bytes.windows(3).position(|part| part == b"abc").unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(seen) = deliver(&changed, 64) {
            let is_content = (stored..stored + 3).contains(&(bit / 8));
            assert!(!ends(&seen) || is_content || seen == whole, "bit {bit}: {seen:?}");
        }
    }
}

#[test]
fn a_turn_goes_on_after_its_check_alone() {
    let mut outbox = Outbox::new(3).unwrap();
    outbox.send(&ToAgent::Publish);
    let (first, check) = (outbox.take(), StreamDigest::default().check());
    let ended = first.len() - HEADER_BYTES - check.len();
    outbox.send(&ToAgent::Prune);
    let more = [&first[..ended], &outbox.take()].concat();
    assert!(matches!(deliver(&more, 10), Err(InboxError::Unchecked)));
    assert_eq!(deliver(&first[..ended], 10).unwrap(), Vec::<String>::new());
    let mut other = first[..ended].to_vec();
    put_frame(&mut other, FrameKind::Check, &check);
    assert!(matches!(deliver(&other, 10), Err(InboxError::Changed)));
}

#[test]
fn the_numbers_of_receipts_only_grow() {
    let mut inbox = Inbox::<ToAgent<'_>>::new().unwrap();
    let mut receive = |payload: &[u8]| {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, FrameKind::Receipt, payload);
        inbox.receive(&bytes);
        inbox.ready().map(|ready| (ready, inbox.receipt()))
    };
    let of = |bytes, micros| Receipt { bytes, waited: Duration::from_micros(micros) };
    let payload = [[0xbc, 2, 0, 0, 0, 0, 0, 0], [90, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(of(700, 90).encode(), *payload);
    assert_eq!(receive(&payload).unwrap(), (false, of(700, 90)));
    assert_eq!(receive(&of(3, 91).encode()).unwrap(), (false, of(700, 91)));
    assert_eq!(receive(&of(u64::MAX, u64::MAX).encode()).unwrap().1, of(u64::MAX, u64::MAX));
    assert!(matches!(receive(&[1; 4]), Err(InboxError::Frame(FrameError::Length(4)))));
}

#[test]
fn a_prefix_applies_to_one_frame() {
    let prefix = b"\0a text that only the prefix has, so that little travels";
    let mut outbox = Outbox::new(3).unwrap();
    outbox.send(&ToAgent::FileEnd);
    outbox.send(&ToAgent::Prefix { check: [0; 8] });
    let mut messages = Vec::new();
    outbox.encode(&ToAgent::Literal(&prefix[1..]), &mut messages);
    outbox.send_frame(&detached_frame(19, prefix, &messages).unwrap());
    assert!(outbox.waiting() < 70, "{}", outbox.waiting());
    outbox.tune(3, 22).unwrap();
    outbox.send(&ToAgent::Literal(&prefix[1..]));
    outbox.flush();
    let bytes = outbox.take();
    for piece in [1, 5, 1000] {
        let (mut inbox, mut seen) = (Inbox::<ToAgent<'_>>::new().unwrap(), Vec::new());
        for piece in bytes.chunks(piece) {
            inbox.receive(piece);
            while inbox.ready().unwrap() {
                let received = inbox.pop().unwrap();
                let is_prefix = matches!(received, Received::Message(ToAgent::Prefix { .. }));
                seen.push(format!("{received:?}"));
                if is_prefix {
                    inbox.expect_prefix(prefix.to_vec()).unwrap();
                }
            }
        }
        let literal = format!("{:?}", Received::Message(ToAgent::Literal(&prefix[1..])));
        let expected = [
            "Message(FileEnd)",
            "Message(Prefix { check: [0, 0, 0, 0, 0, 0, 0, 0] })",
            &literal,
            &literal,
        ];
        assert_eq!(seen, expected, "pieces of {piece}");
    }
}

#[test]
fn a_frame_that_goes_on_after_its_prefix_is_refused() {
    let mut outbox = Outbox::new(3).unwrap();
    outbox.send(&ToAgent::Prefix { check: [0; 8] });
    outbox.flush();
    outbox.send(&ToAgent::FileEnd);
    outbox.flush();
    let mut inbox = Inbox::<ToAgent<'_>>::new().unwrap();
    inbox.receive(&outbox.take());
    assert!(inbox.ready().unwrap());
    inbox.pop().unwrap();
    let refused = inbox.expect_prefix(vec![0; 10]).and_then(|()| inbox.ready());
    assert!(matches!(refused, Err(InboxError::PrefixInsideFrame)), "{refused:?}");
}

#[test]
fn windows_over_the_limit_are_refused() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(27).unwrap();
    encoder.include_contentsize(false).unwrap();
    std::io::Write::write_all(&mut encoder, &[14; 100]).unwrap();
    let mut bytes = Vec::new();
    put_frame(&mut bytes, FrameKind::Packed, &encoder.finish().unwrap());
    assert!(matches!(deliver(&bytes, 10), Err(InboxError::Packed(_))));
}

#[test]
fn an_endless_message_is_refused() {
    // A literal over its limit is refused as soon as its length is there.
    let mut inbox = Inbox::<ToAgent<'_>>::new().unwrap();
    let mut packed = zstd::stream::encode_all(&[6, 0x81, 0x80, 0x02][..], 1).unwrap();
    let mut bytes = Vec::new();
    put_frame(&mut bytes, FrameKind::Packed, &std::mem::take(&mut packed));
    inbox.receive(&bytes);
    let refused = inbox.ready();
    assert!(
        matches!(refused, Err(InboxError::Decode(DecodeError::OverLimit { .. }))),
        "{refused:?}"
    );
}
