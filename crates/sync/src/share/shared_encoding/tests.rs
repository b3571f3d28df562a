use std::thread;

use assetsync_core::protocol::{Inbox, Received, ToAgent};
use proptest::prelude::*;

use super::*;

const WAIT_LIMIT: Duration = Duration::from_secs(300);

fn tape(
    ahead: u64,
    in_memory: usize,
) -> (Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader) {
    SharedEncoding::begin_with(CodecContext::default(), ahead, in_memory).unwrap()
}

/// Plays to the end, asking `pause` after each piece.
fn hear_all(
    mut player: SharedEncodingReader,
    pause: impl Fn(),
) -> Result<(Vec<u8>, u64), PushError> {
    let (mut all, mut last) = (Vec::new(), 0);
    loop {
        match player.next(WAIT_LIMIT)? {
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
fn hear(player: &mut SharedEncodingReader) -> Vec<u8> {
    match player.next(Duration::ZERO).unwrap() {
        NextBytes::Bytes { bytes, .. } => bytes.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Pieces of all sizes.
fn pieces(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|at| vec![at as u8; 1 + (at * 7919) % 150_000]).collect()
}

/// What is recorded without being compressed, and the frame that ends it.
fn recorded(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut outbox = Outbox::after(CodecContext::default(), LEVEL).unwrap();
    outbox.end();
    [pieces.concat(), outbox.take()].concat()
}

#[test]
fn players_of_all_speeds_hear_the_same_in_memory_and_beyond() {
    let pieces = pieces(200);
    let wanted = recorded(&pieces);
    assert!(wanted.len() > 10 << 20);
    let (tape, mut recorder, first) = tape(1 << 18, 1 << 20);
    let others = [1, 2].map(|_| tape.join().unwrap());
    thread::scope(|scope| {
        let slow = || (0..5).for_each(|_| thread::yield_now());
        let first = scope.spawn(|| hear_all(first, || {}));
        let others = others.map(|player| scope.spawn(move || hear_all(player, slow)));
        for piece in &pieces {
            recorder.progress(10);
            recorder.write(piece).unwrap();
        }
        let late = tape.join().unwrap();
        assert_eq!(recorder.end(Ok(())), wanted.len() as u64);
        let later = tape.join().unwrap();
        let consumed = [first.join(), hear_all_ok(late), hear_all_ok(later)];
        for consumed in consumed.into_iter().chain(others.map(|other| other.join())) {
            let (bytes, done) = consumed.unwrap().unwrap();
            assert!(bytes == wanted, "{} bytes of {}", bytes.len(), wanted.len());
            assert_eq!(done, 2000);
        }
    });
}

fn hear_all_ok(player: SharedEncodingReader) -> thread::Result<Result<(Vec<u8>, u64), PushError>> {
    Ok(hear_all(player, || {}))
}

#[test]
fn the_encoder_leads_only_the_fastest_reader() {
    const PIECE: u64 = 1000;
    const MAX_LEAD: u64 = 10 * PIECE;
    let (tape, mut recorder, mut fast) = tape(MAX_LEAD, 3000);
    let slow = tape.join().unwrap();
    thread::scope(|scope| {
        let recording = scope.spawn(move || {
            (0..500).for_each(|_| recorder.write(&[7; PIECE as usize]).unwrap());
            let blocked = recorder.blocked();
            recorder.end(Ok(()));
            blocked
        });
        let mut consumed = 0;
        while consumed < 500 * PIECE {
            match fast.next(WAIT_LIMIT).unwrap() {
                NextBytes::Bytes { bytes, .. } => consumed += bytes.len() as u64,
                other => panic!("{other:?}"),
            }
            let length = tape.locked().length;
            assert!(length < consumed + MAX_LEAD + PIECE, "{length} recorded, {consumed} heard");
        }
        assert!(hear_all(fast, || {}).is_ok());
        assert!(recording.join().unwrap() > Duration::ZERO);
    });
    let (bytes, _) = hear_all(slow, || {}).unwrap();
    assert!(bytes == recorded(&vec![vec![7; PIECE as usize]; 500]));
}

#[test]
fn the_encoder_continues_when_the_fastest_reader_leaves() {
    let (tape, mut recorder, mut first) = tape(2000, 2000);
    let second = tape.join().unwrap();
    recorder.write(&[1; 2000]).unwrap();
    assert_eq!(hear(&mut first), [1; 2000]);
    assert_eq!(first.next(Duration::ZERO).unwrap(), NextBytes::Nothing);
    recorder.write(&[2; 2000]).unwrap();
    drop(first);
    thread::scope(|scope| {
        let second = scope.spawn(move || hear_all(second, || {}));
        recorder.write(&[3; 2000]).unwrap();
        recorder.end(Ok(()));
        let (bytes, _) = second.join().unwrap().unwrap();
        assert!(bytes == recorded(&[vec![1; 2000], vec![2; 2000], vec![3; 2000]]));
    });
}

#[test]
fn a_waiting_encoder_ends_when_the_last_reader_leaves() {
    let (tape, mut recorder, player) = tape(10, 100);
    recorder.write(&[1; 10]).unwrap();
    thread::scope(|scope| {
        let blocked = scope.spawn(move || {
            let written = recorder.write(&[2; 10]);
            let failed = written.is_err();
            recorder.end(written);
            failed
        });
        drop(player);
        assert!(blocked.join().unwrap(), "it went on for nobody");
    });
    assert!(tape.join().is_none());
    assert!(matches!(tape.locked().end, Some(End::NoReaders)));
}

#[test]
fn an_idle_encoder_notices_that_all_readers_left() {
    let (tape, mut recorder, player) = tape(10, 100);
    recorder.keep_alive().unwrap();
    drop(player);
    assert!(recorder.keep_alive().is_err());
    assert!(tape.join().is_none());
}

#[test]
fn the_failure_of_the_encoder_reaches_all_after_what_came_before() {
    let (tape, mut recorder, first) = tape(1000, 100);
    let second = tape.join().unwrap();
    recorder.write(&[1; 500]).unwrap();
    let waiting = thread::spawn(move || hear_all(first, || {}));
    recorder.end(Err(PushError::Damaged("app.js".into())));
    for consumed in [waiting.join().unwrap(), hear_all(second, || {})] {
        let error = consumed.unwrap_err();
        assert!(matches!(error, PushError::Shared(_)));
        assert!(error.to_string().starts_with("app.js arrived damaged"), "{error}");
    }
    assert!(tape.join().is_none());
}

#[test]
fn a_panic_of_the_encoder_wakes_all_readers() {
    let (tape, recorder, player) = tape(1000, 100);
    let waiting = thread::spawn(move || hear_all(player, || {}));
    drop(recorder);
    assert!(waiting.join().unwrap().is_err());
    assert!(tape.join().is_none());
}

#[test]
fn messages_continue_across_the_shared_encoding() {
    use assetsync_core::plan::Rename;
    let rename = |known| ToAgent::Rename(Rename { known, start: 1, length: 8, new: vec![b'x'; 8] });
    let mut outbox = Outbox::new(LEVEL).unwrap();
    outbox.send(&rename(700));
    let memory = outbox.end();
    let mut bytes = outbox.take();

    let (tape, mut recorder, player) = SharedEncoding::begin(memory).unwrap();
    recorder.set_level(1, 20).unwrap();
    recorder.send(&rename(701)).unwrap();
    recorder.set_level(19, 22).unwrap();
    recorder.send(&rename(650)).unwrap();
    recorder.send_stored(b"as it is").unwrap();
    recorder.end(Ok(()));
    bytes.extend(hear_all(player, || {}).unwrap().0);
    let Some(End::Complete(memory)) = tape.locked().end.clone() else { panic!("it has no end") };

    let mut outbox = Outbox::after(memory, LEVEL).unwrap();
    outbox.send(&rename(651));
    outbox.flush();
    bytes.extend(outbox.take());

    let mut inbox = Inbox::<ToAgent<'_>>::new().unwrap();
    inbox.receive(&bytes);
    let mut consumed = Vec::new();
    while inbox.ready().unwrap() {
        consumed.push(match inbox.pop().unwrap() {
            Received::Message(ToAgent::Rename(rename)) => rename.known,
            Received::Message(ToAgent::Stored { length: 8 }) => 0,
            Received::Stored(b"as it is") => 1,
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(consumed, [700, 701, 650, 0, 1, 651]);
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
    /// Whatever the order of events: each player has heard exactly the front of what was written; where it hears
    /// nothing it has heard all, so that a heartbeat fits there; who is last gets all of it.
    #[test]
    fn what_is_replayed_is_what_was_recorded(
        steps in prop::collection::vec(step(), 0..200),
        in_memory in 0_usize..3000,
    ) {
        let (tape, mut recorder, last) = tape(u64::MAX / 2, in_memory);
        let (mut written, mut readers) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Write(length) => {
                    let piece: Vec<u8> = (0..length).map(|at| (at ^ number) as u8).collect();
                    recorder.write(&piece).unwrap();
                    written.push(piece);
                }
                Step::Join => readers.push((tape.join().unwrap(), Vec::new())),
                Step::Leave(at) if at < readers.len() => drop(readers.swap_remove(at)),
                Step::Hear(at) if at < readers.len() => {
                    let (player, consumed) = &mut readers[at];
                    match player.next(Duration::ZERO).unwrap() {
                        NextBytes::Bytes { bytes, .. } => consumed.extend_from_slice(bytes),
                        NextBytes::Nothing => prop_assert_eq!(consumed.len(), written.concat().len()),
                        NextBytes::End(_) => prop_assert!(false, "it has not ended"),
                    }
                    prop_assert!(written.concat().starts_with(consumed));
                }
                Step::Leave(_) | Step::Hear(_) => {}
            }
        }
        recorder.end(Ok(()));
        let wanted = recorded(&written);
        for (player, consumed) in readers {
            prop_assert_eq!([consumed, hear_all(player, || {}).unwrap().0].concat(), wanted.clone());
        }
        prop_assert_eq!(hear_all(last, || {}).unwrap().0, wanted);
    }
}
