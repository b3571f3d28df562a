//! What is put in can be had again, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[test]
fn what_was_pushed_is_there() {
    let room = FreeSpace::new();
    let store = room.store();
    push(&store, "h:p", &[1, 2, 3, 2]);
    for store in [store, room.store()] {
        for number in [1, 2, 3] {
            assert!(has(&store, number));
            assert_eq!(get(&store, number), Some(content(number)));
        }
        assert!(!has(&store, 4) && get(&store, 4).is_none());
        assert_eq!(store.state(&key("h:p")), Some(state(&[1, 2, 3, 2])));
        assert_eq!(store.state(&key("h:q")), None);
        assert_eq!(add(&store, &[1, 2, 3]), Added::default());
        assert_eq!(room.packs().len(), 1, "nothing new is no pack");
    }
}

#[test]
fn a_store_is_opened_where_one_is() {
    let room = FreeSpace::new();
    assert!(Store::open_existing(&room.path()).unwrap().is_none());
    assert!(!room.path().exists());
    push(&room.store(), "h:p", &[1]);
    assert!(has(&Store::open_existing(&room.path()).unwrap().unwrap(), 1));
}

#[test]
fn what_is_not_as_said_is_left_out() {
    let room = FreeSpace::new();
    let store = room.store();
    let wanted = [
        (Digest::of(b"right"), 5),
        (Digest::of(b"wrong"), 5),
        (Digest::of(b"short"), 5),
        (Digest::of(b"unreadable"), 10),
        (Digest::of(b""), 0),
        (Digest::of(b"huge"), CONTENT_BYTES + 1),
    ];
    let asked = AtomicUsize::new(0);
    let read = |position| {
        asked.fetch_add(1, Ordering::Relaxed);
        match position {
            0 => Ok(b"right".to_vec()),
            1 => Ok(b"WRONG".to_vec()),
            2 => Ok(b"short of it".to_vec()),
            _ => Err(io::ErrorKind::PermissionDenied.into()),
        }
    };
    let added = store.add(&wanted, &read).unwrap();
    assert_eq!(added, Added { contents: 1, bytes: 5, packed_bytes: 5 });
    assert_eq!(asked.into_inner(), 4, "what is never kept is not read");
    let held = |(digest, size): &(Digest, u64)| store.has(digest.short(), *size);
    assert_eq!(wanted.iter().filter(|one| held(one)).count(), 1);
}

#[test]
fn states_are_replaced_forgotten_and_touched() {
    let room = FreeSpace::new();
    let store = room.store();
    remember(&store, "h:p", &[1]);
    remember(&store, "h:p", &[2]);
    assert_eq!(store.state(&key("h:p")).unwrap().id, id(&[2]));
    let touched = |room: &FreeSpace| room.files()[0].modified;
    room.pass(DAY);
    let before = touched(&room);
    remember(&store, "h:p", &[2]);
    assert!(touched(&room) > before + DAY / 2, "a push that changes nothing is a push");
    assert_eq!(store.state(&key("h:p")), Some(state(&[2])));
    assert!(store.forget(&key("h:p")).unwrap() && !store.forget(&key("h:p")).unwrap());
    assert_eq!(store.state(&key("h:p")), None);
}

#[test]
fn a_damaged_state_file_is_rewritten() {
    let room = FreeSpace::new();
    let store = room.store();
    remember(&store, "h:p", &[1]);
    let path = room.files()[0].path.clone();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(store.state(&key("h:p")), None);
    remember(&store, "h:p", &[1]);
    assert_eq!(store.state(&key("h:p")).unwrap().id, id(&[1]));
}

#[test]
fn a_damaged_content_is_noticed_once_and_mended_by_the_next_push() {
    let room = FreeSpace::new();
    push(&room.store(), "h:p", &[3]);
    let pack = &room.packs()[0].path;
    let mut bytes = fs::read(pack).unwrap();
    bytes[0] ^= 1;
    fs::write(pack, bytes).unwrap();
    let store = room.store();
    assert!(has(&store, 3));
    assert_eq!(get(&store, 3), None);
    assert!(!has(&store, 3));
    add(&store, &[3]);
    assert_eq!(get(&store, 3), Some(content(3)));
    assert_eq!(get(&room.store(), 3), Some(content(3)), "the newer pack goes first");
}

#[test]
fn one_push_adds_no_more_than_the_limit() {
    let room = FreeSpace::new();
    let store = room.bounded(100_000);
    let numbers: Vec<u32> = (0..100).map(|n| 2 + 3 * n).collect();
    let added = add(&store, &numbers);
    // Each thread may be at its last content when the limit is reached.
    let most = 75_000 + 5000 * rayon::current_num_threads() as u64;
    assert!((75_000..=most).contains(&added.packed_bytes), "{added:?}");
}

/// Another process has pruned what this one holds open.
#[test]
fn adding_sees_what_others_did() {
    let room = FreeSpace::new();
    let store = room.store();
    add(&store, &[1, 2]);
    room.pass(HOUR);
    room.prune(LIMIT_BYTES);
    add(&room.store(), &[2]);
    assert_eq!(add(&store, &[1, 2]).contents, 1);
    for store in [store, room.store()] {
        assert_eq!([1, 2].map(|number| get(&store, number).is_some()), [true; 2]);
    }
    assert_eq!(room.packs().len(), 2);
}

#[test]
fn open_packs_outlive_their_files() {
    let room = FreeSpace::new();
    let store = room.store();
    add(&store, &[1, 2]);
    room.pass(HOUR);
    assert_eq!(room.prune(LIMIT_BYTES).contents, 2);
    assert!(room.packs().is_empty());
    assert_eq!(get(&store, 1), Some(content(1)));
}

#[test]
fn status_tells_what_is_held() {
    let room = FreeSpace::new();
    let store = room.store();
    push(&store, "h:p", &[3, 6]);
    room.pass(DAY);
    push(&store, "web1:/srv", &[3, 4]);
    let status = store.status().unwrap();
    assert_eq!(status.path, room.path());
    assert_eq!((status.contents, status.packs, status.damaged), (3, 2, 0));
    assert_eq!(status.contents_bytes, 32 + 32 + 3200);
    assert_eq!(status.bytes, room.files().iter().map(|found| found.bytes).sum::<u64>());
    let told: Vec<_> =
        status.destinations.iter().map(|one| (one.name.as_str(), one.files, one.bytes)).collect();
    assert_eq!(told, [("web1:/srv", 2, 3232), ("h:p", 2, 64)]);
    assert!(status.destinations[0].pushed > status.destinations[1].pushed + DAY / 2);
}
