use std::thread;

use assetsync_core::index::Index;
use assetsync_core::protocol::{Inbox, Received, ToAgent};
use proptest::prelude::*;

use super::*;

const WAIT_LIMIT: Duration = Duration::from_secs(300);

fn encoding(
    ahead: u64,
    in_memory: usize,
) -> (Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader) {
    SharedEncoding::begin_with(CodecContext::default(), ahead, in_memory).unwrap()
}

/// Plays to the end, asking `pause` after each piece.
fn hear_all(
    mut reader: SharedEncodingReader,
    pause: impl Fn(),
) -> Result<(Vec<u8>, u64), PushError> {
    let (mut all, mut last) = (Vec::new(), 0);
    loop {
        match reader.next(WAIT_LIMIT)? {
            NextBytes::Bytes { bytes, done } => {
                assert!(!bytes.is_empty() && done >= last);
                last = done;
                all.extend_from_slice(bytes);
            }
            NextBytes::Nothing => panic!("nothing came for {WAIT_LIMIT:?}"),
            NextBytes::End(_) => return Ok((all, last)),
        }
        pause();
    }
}

/// The next bytes, of which there must be some.
fn hear(reader: &mut SharedEncodingReader) -> Vec<u8> {
    match reader.next(Duration::ZERO).unwrap() {
        NextBytes::Bytes { bytes, .. } => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Pieces of all sizes.
fn pieces(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| vec![at as u8; 1 + (at * 7919) % 150_000]).collect()
}

/// What is encoded without being compressed, and the frame that ends it.
fn encoded(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut outbox = Outbox::after(CodecContext::default(), LEVEL).unwrap();
    outbox.end();
    [pieces.concat(), outbox.take()].concat()
}

#[test]
fn players_of_all_speeds_hear_the_same_in_memory_and_beyond() {
    let pieces = pieces(200);
    let wanted = encoded(&pieces);
    assert!(wanted.len() > 10 << 20);
    let (encoding, mut writer, first) = encoding(1 << 18, 1 << 20);
    let others = [1, 2].map(|_| encoding.join().unwrap());
    thread::scope(|scope| {
        let slow = || (0..5).for_each(|_| thread::yield_now());
        let first = scope.spawn(|| hear_all(first, || {}));
        let others = others.map(|reader| scope.spawn(move || hear_all(reader, slow)));
        for piece in &pieces {
            writer.progress(10).unwrap();
            writer.write(piece).unwrap();
        }
        let late = encoding.join().unwrap();
        assert_eq!(writer.end(Ok(())), wanted.len() as u64);
        let later = encoding.join().unwrap();
        let consumed = [first.join(), hear_all_ok(late), hear_all_ok(later)];
        for consumed in consumed.into_iter().chain(others.map(|other| other.join())) {
            let (bytes, done) = consumed.unwrap().unwrap();
            assert!(bytes == wanted, "{} bytes of {}", bytes.len(), wanted.len());
            assert_eq!(done, 2000);
        }
    });
}

fn hear_all_ok(reader: SharedEncodingReader) -> thread::Result<Result<(Vec<u8>, u64), PushError>> {
    Ok(hear_all(reader, || {}))
}

#[test]
fn the_encoder_leads_only_the_fastest_reader() {
    const PIECE: u64 = 1000;
    const MAX_LEAD: u64 = 10 * PIECE;
    let (encoding, mut writer, mut fast) = encoding(MAX_LEAD, 3000);
    let slow = encoding.join().unwrap();
    thread::scope(|scope| {
        let recording = scope.spawn(move || {
            (0..500).for_each(|_| writer.write(&[7; PIECE as usize]).unwrap());
            let blocked = writer.blocked();
            writer.end(Ok(()));
            blocked
        });
        let mut consumed = 0;
        while consumed < 500 * PIECE {
            match fast.next(WAIT_LIMIT).unwrap() {
                NextBytes::Bytes { bytes, .. } => consumed += bytes.len() as u64,
                other => panic!("{other:?}"),
            }
            let length = encoding.locked().length;
            assert!(length < consumed + MAX_LEAD + PIECE, "{length} recorded, {consumed} heard");
        }
        assert!(hear_all(fast, || {}).is_ok());
        assert!(recording.join().unwrap() > Duration::ZERO);
    });
    let (bytes, _) = hear_all(slow, || {}).unwrap();
    assert!(bytes == encoded(&vec![vec![7; PIECE as usize]; 500]));
}

#[test]
fn the_encoder_continues_when_the_fastest_reader_leaves() {
    let (encoding, mut writer, mut first) = encoding(2000, 2000);
    let second = encoding.join().unwrap();
    writer.write(&[1; 2000]).unwrap();
    assert_eq!(hear(&mut first), [1; 2000]);
    assert_eq!(first.next(Duration::ZERO).unwrap(), NextBytes::Nothing);
    writer.write(&[2; 2000]).unwrap();
    drop(first);
    thread::scope(|scope| {
        let second = scope.spawn(move || hear_all(second, || {}));
        writer.write(&[3; 2000]).unwrap();
        writer.end(Ok(()));
        let (bytes, _) = second.join().unwrap().unwrap();
        assert!(bytes == encoded(&[vec![1; 2000], vec![2; 2000], vec![3; 2000]]));
    });
}

#[test]
fn a_waiting_encoder_ends_when_the_last_reader_leaves() {
    let (encoding, mut writer, reader) = encoding(10, 100);
    writer.write(&[1; 10]).unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(move || {
            let written = writer.write(&[2; 10]);
            let failed = written.is_err();
            writer.end(written);
            failed
        });
        drop(reader);
        assert!(blocked.join().unwrap(), "it went on for nobody");
    });
    assert!(encoding.join().is_none());
    assert!(matches!(encoding.locked().end, Some(End::NoReaders)));
}

#[test]
fn an_idle_encoder_notices_that_all_readers_left() {
    let (encoding, mut writer, reader) = encoding(10, 100);
    writer.keep_alive().unwrap();
    drop(reader);
    assert!(writer.keep_alive().is_err());
    assert!(encoding.join().is_none());
}

#[test]
fn the_failure_of_the_encoder_reaches_all_after_what_came_before() {
    let (encoding, mut writer, first) = encoding(1000, 100);
    let second = encoding.join().unwrap();
    writer.write(&[1; 500]).unwrap();
    let waiting = thread::spawn(move || hear_all(first, || {}));
    writer.end(Err(PushError::Damaged("app.js".into())));
    for consumed in [waiting.join().unwrap(), hear_all(second, || {})] {
        let error = consumed.unwrap_err();
        assert!(matches!(error, PushError::Shared(_)));
        assert!(error.to_string().starts_with("app.js arrived damaged"), "{error}");
    }
    assert!(encoding.join().is_none());
}

#[test]
fn a_panic_of_the_encoder_wakes_all_readers() {
    let (encoding, writer, reader) = encoding(1000, 100);
    let waiting = thread::spawn(move || hear_all(reader, || {}));
    drop(writer);
    assert!(waiting.join().unwrap().is_err());
    assert!(encoding.join().is_none());
}

#[test]
fn messages_continue_across_the_shared_encoding() {
    use assetsync_core::plan::Rename;
    let rename = |known| ToAgent::Rename(Rename { known, start: 1, length: 8, new: vec![b'x'; 8] });
    let mut outbox = Outbox::new(LEVEL).unwrap();
    outbox.send(&rename(Index::new(700)));
    let context = outbox.end();
    let mut bytes = outbox.take();
    let before = bytes.len();

    let (encoding, mut writer, reader) = SharedEncoding::begin(context).unwrap();
    writer.set_level(1, 20).unwrap();
    writer.send(&rename(Index::new(701))).unwrap();
    writer.set_level(19, 22).unwrap();
    writer.send(&rename(Index::new(650))).unwrap();
    writer.send_stored(b"as it is").unwrap();
    writer.end(Ok(()));
    bytes.extend(hear_all(reader, || {}).unwrap().0);
    let Some(End::Complete(context)) = encoding.locked().end.clone() else {
        panic!("it has no end")
    };

    bytes[before..].chunks(7).for_each(|piece| outbox.pass(piece));
    outbox.resume(context, LEVEL).unwrap();
    outbox.send(&rename(Index::new(651)));
    // What is checked at the end of the turn has all three parts.
    outbox.send(&ToAgent::Publish);
    bytes.extend(outbox.take());

    let mut inbox = Inbox::<ToAgent<'_>>::new().unwrap();
    inbox.receive(&bytes);
    let mut consumed = Vec::new();
    while inbox.ready().unwrap() {
        consumed.push(match inbox.pop().unwrap() {
            Received::Message(ToAgent::Rename(rename)) => rename.known,
            Received::Message(ToAgent::Stored { length: 8 }) => Index::new(0),
            Received::Stored(b"as it is") => Index::new(1),
            Received::Message(ToAgent::Publish) => Index::new(2),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(consumed, [700, 701, 650, 0, 1, 651, 2].map(Index::new));
}

/// One step of a random course of events.
#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Join,
    Leave(usize),
    Hear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_usize..300).prop_map(Step::Write),
        1 => Just(Step::Join),
        1 => (0_usize..8).prop_map(Step::Leave),
        6 => (0_usize..8).prop_map(Step::Hear),
    ]
}

proptest! {
    /// Whatever the order of events: each reader has heard exactly the front of what was written;
    /// where it hears nothing it has heard all, so that a heartbeat fits there; who is last gets
    /// all of it.
    #[test]
    fn what_is_replayed_is_what_was_recorded(
        steps in prop::collection::vec(step(), 0..200),
        in_memory in 0_usize..3000,
    ) {
        let (encoding, mut writer, last) = encoding(u64::MAX / 2, in_memory);
        let (mut written, mut readers) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(length) => {
                    let piece: Vec<u8> = (0..length).map(|at| (at ^ number) as u8).collect();
                    writer.write(&piece).unwrap();
                    written.push(piece);
                }
                Step::Join => readers.push((encoding.join().unwrap(), Vec::new())),
                Step::Leave(at) if at < readers.len() => drop(readers.swap_remove(at)),
                Step::Hear(at) if at < readers.len() => {
                    let (reader, consumed) = &mut readers[at];
                    match reader.next(Duration::ZERO).unwrap() {
                        NextBytes::Bytes { bytes, .. } => consumed.extend_from_slice(bytes),
                        NextBytes::Nothing => prop_assert_eq!(consumed.len(), written.concat().len()),
                        NextBytes::End(_) => prop_assert!(false, "it has not ended"),
                    }
                    prop_assert!(written.concat().starts_with(consumed));
                }
                Step::Leave(_) | Step::Hear(_) => {}
            }
        }
        writer.end(Ok(()));
        let wanted = encoded(&written);
        for (reader, consumed) in readers {
            prop_assert_eq!([consumed, hear_all(reader, || {}).unwrap().0].concat(), wanted.clone());
        }
        prop_assert_eq!(hear_all(last, || {}).unwrap().0, wanted);
    }
}
