use proptest::prelude::*;

use super::*;
use crate::history::codec::testing::encode;
use crate::history::fixtures::{deploy, file, tree};
use crate::history::tree::Tree;

/// A history of one deploy, as bytes.
fn one() -> Vec<u8> {
    let step = History::new().step(deploy(1, 5), &tree(&["a", "b"]), 0, std::iter::empty());
    encode(&History::new().apply(step).expect("a good step"))
}

fn step(change: impl FnOnce(&mut HistoryStep)) -> HistoryStep {
    let decoded = decode(&one()).expect("whole");
    let mut step = decoded.history.step(deploy(2, 6), &tree(&["a", "b"]), 0, std::iter::empty());
    change(&mut step);
    step
}

fn refused(step: &HistoryStep) -> String {
    let bytes = one();
    let appended = decode(&bytes).expect("whole").append(step);
    match decode(&[bytes, appended].concat()) {
        Err(refused) => refused.to_string(),
        Ok(decoded) => decoded.damage.map_or_else(String::new, |damage| damage.to_string()),
    }
}

/// Two deploys, of which the second removes, changes and adds a file.
#[test]
fn a_history_of_format_1_is_still_read() {
    let deploys = [deploy(1, 100), deploy(2, 200)];
    let trees = [tree(&["a.js", "b.js", "m.html=1"]), tree(&["b.js", "c.js", "m.html=2"])];
    let decoded = decode(include_bytes!("../../../tests/fixtures/history")).expect("whole");
    assert_eq!((decoded.damage, decoded.history.deploys()), (None, &deploys[..]));
    assert_eq!([decoded.history.tree(0), decoded.history.tree(1)], trees);
}

#[test]
fn invalid_histories() {
    assert_eq!(decode(b"").map(|decoded| decoded.history), Ok(History::new()));
    assert_eq!(decode(b"assetsync"), Err(HistoryError::Magic));
    assert_eq!(decode(b"assetsync-index1"), Err(HistoryError::Magic));
    let later = decode(b"assetsync-hist-2...").unwrap_err();
    assert_eq!(later.to_string(), "History of deploys has format 2, this version reads format 1");
}

#[test]
fn hostile_steps() {
    let attributes = FileAttributes::default();
    let table = [
        (step(|_| {}), ""),
        (step(|s| s.removed = vec![2]), "History of deploys is damaged: file 2 is unknown"),
        (
            step(|s| s.attributes_changed = vec![(7, attributes)]),
            "History of deploys is damaged: file 7 is unknown",
        ),
        (
            step(|s| (s.removed, s.attributes_changed) = (vec![1], vec![(1, attributes)])),
            "History of deploys is damaged: file 1 is unknown",
        ),
        (step(|s| s.added = vec![file("a", 1)]), "Tree has two files at or below 'a'"),
        (step(|s| s.added = vec![file("b/c", 1)]), "Tree has two files at or below 'b'"),
        (
            step(|s| s.forgotten = 1),
            "History of deploys is too large: more than 0 deploys forgotten",
        ),
        (
            step(|s| s.deploy = deploy(1, 5)),
            "Deploy 19700101T000005Z-00000001 is in the history already",
        ),
    ];
    for (step, expected) in table {
        assert_eq!(refused(&step), expected);
    }
}

#[test]
fn a_torn_end_is_left_out() {
    let whole = one();
    let appended = decode(&whole).expect("whole").append(&step(|_| {}));
    for cut in 1..appended.len() {
        let bytes = [&whole[..], &appended[..cut]].concat();
        let decoded = decode(&bytes).expect("its beginning is whole");
        assert_eq!((decoded.history.deploys().len(), decoded.whole_bytes), (1, whole.len()));
        assert!(decoded.damage.is_some());
        // A part appended after the damage is read.
        let mended = [&bytes[..decoded.whole_bytes], &decoded.append(&step(|_| {}))].concat();
        assert_eq!(decode(&mended).expect("whole").history.deploys().len(), 2);
    }
}

#[test]
fn history_parts_cannot_be_reordered() {
    let first = one();
    let second = decode(&first).expect("whole").append(&step(|_| {}));
    let (magic, part) = first.split_at(MAGIC.len());
    let swapped = decode(&[magic, &second, part].concat()).expect("it has its magic");
    assert_eq!(swapped.damage, Some(HistoryError::Checksum));
    let twice = decode(&[&first, part].concat()).expect("it has its magic");
    assert_eq!(twice.damage, Some(HistoryError::Checksum));
}

/// A part whose checksum is right, whatever is in it.
fn part(size: u64, packed: &[u8]) -> Vec<u8> {
    let mut part = Vec::new();
    assetsync_core::protocol::put_number(&mut part, size);
    assetsync_core::protocol::put_bytes(&mut part, packed);
    let checksum = Checksum::start().after(&part);
    [&MAGIC[..], &part, &checksum.0].concat()
}

#[test]
fn sizes_that_lie() {
    let plain = [0_u8; 100];
    let packed = zstd::bulk::compress(&plain, 1).expect("room");
    for size in [0, 99, limits::PART_BYTES as u64 + 1] {
        let decoded = decode(&part(size, &packed)).expect("it has its magic");
        assert!(decoded.damage.is_some(), "{size}");
    }
}

#[test]
fn bytes_too_many() {
    let bytes = one();
    let (step, _) =
        read_part(&mut Fields(&bytes[MAGIC.len()..]), Checksum::start()).expect("whole");
    let plain = [crate::history::codec::plain(&step), vec![0]].concat();
    let packed = zstd::bulk::compress(&plain, 1).expect("room");
    let decoded = decode(&part(plain.len() as u64, &packed)).expect("it has its magic");
    assert_eq!(decoded.damage, Some(DecodeError::Trailing(1).into()));
}

/// Room for names that are too long is not needed, but they are no reason to lose a deploy either.
#[test]
fn long_names_are_cut() {
    let mut made = deploy(1, 5);
    made.origin.user = "é".repeat(limits::NAME_BYTES);
    let step = History::new().step(made, &Tree::default(), 0, std::iter::empty());
    let decoded = decode(&decode(b"").expect("whole").append(&step)).expect("whole");
    let user = &decoded.history.deploys()[0].origin.user;
    assert_eq!(*user, "é".repeat(limits::NAME_BYTES / 2));
}

proptest! {
    #[test]
    fn any_step_is_read_or_refused(plain in prop::collection::vec(any::<u8>(), 0..80)) {
        let packed = zstd::bulk::compress(&plain, 1).expect("room");
        let _ = decode(&part(plain.len() as u64, &packed));
    }

    #[test]
    fn a_step_with_one_other_byte_is_read_or_refused(at in any::<prop::sample::Index>(), to: u8) {
        let bytes = one();
        let (step, _) = read_part(&mut Fields(&bytes[MAGIC.len()..]), Checksum::start()).expect("whole");
        let mut plain = crate::history::codec::plain(&step);
        let at = at.index(plain.len());
        plain[at] = to;
        let packed = zstd::bulk::compress(&plain, 1).expect("room");
        if let Ok(decoded) = decode(&part(plain.len() as u64, &packed)) {
            let newest = decoded.history.tree(0).files().to_vec();
            prop_assert!(Tree::new(newest).is_ok());
        }
    }
}
