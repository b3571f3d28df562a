//! What goes, when, and what stays.

use super::*;

#[test]
fn pruning_keeps_what_a_destination_has() {
    let room = FreeSpace::new();
    let store = room.store();
    push(&store, "h:p", &[1, 2, 3, 4]);
    push(&store, "h:p", &[3, 4, 5]);
    push(&store, "h:q", &[1]);
    assert_eq!(room.prune(LIMIT_BYTES), Pruned::default(), "all of it is young");
    room.pass(HOUR);
    let pruned = room.prune(0);
    assert_eq!(pruned.destinations, 2, "a limit of nothing keeps nothing");
    push(&store, "h:p", &[1, 2, 3, 4]);
    push(&store, "h:p", &[3, 4, 5]);
    push(&store, "h:q", &[1]);
    store.forget(&key("h:q")).unwrap();
    room.pass(HOUR);
    let pruned = room.prune(LIMIT_BYTES);
    let store = room.store();
    let left: Vec<u32> = (1..=5).filter(|&number| has(&store, number)).collect();
    assert_eq!((left, pruned.contents, pruned.destinations), (vec![3, 4, 5], 2, 0));
    assert!(pruned.freed_bytes > content(2).len() as u64);
}

#[test]
fn destinations_not_pushed_to_for_90_days_are_forgotten() {
    let room = FreeSpace::new();
    let store = room.store();
    push(&store, "h:old", &[1]);
    room.pass(89 * DAY);
    push(&store, "h:new", &[2]);
    assert_eq!(room.prune(LIMIT_BYTES), Pruned::default());
    room.pass(DAY);
    let pruned = room.prune(LIMIT_BYTES);
    assert_eq!((pruned.destinations, pruned.contents), (1, 1));
    assert!(store.state(&key("h:old")).is_none() && store.state(&key("h:new")).is_some());
}

#[test]
fn over_the_limit_what_was_used_last_stays() {
    let room = FreeSpace::new();
    let store = room.store();
    let numbers = |site: u32| (0..20).map(|n| 2 + 3 * (n + 20 * site)).collect::<Vec<_>>();
    for site in 0..5 {
        push(&store, &format!("h:{site}"), &numbers(site));
        room.pass(2 * HOUR);
    }
    let limit = 300_000;
    assert!(room.files().iter().map(|found| found.bytes).sum::<u64>() > 500_000);
    room.prune(limit);
    assert!(room.files().iter().map(|found| found.bytes).sum::<u64>() <= limit);
    let store = room.store();
    let held = |site| numbers(site).into_iter().filter(|&number| has(&store, number)).count();
    assert_eq!([0, 1, 2, 3, 4].map(held), [0, 0, 4, 20, 20]);
    let known = (0..5).filter(|site| store.state(&key(&format!("h:{site}"))).is_some());
    assert_eq!(known.count(), 5, "states are small and worth keeping");
    assert_eq!(room.prune(limit), Pruned::default(), "nothing is left to do");
}

#[test]
fn many_packs_become_few() {
    let room = FreeSpace::new();
    for number in 0..100 {
        let store = room.store();
        push(&store, &format!("h:{number}"), &[number, 1000 + number]);
        store.forget(&key(&format!("h:{}", number / 2))).unwrap();
        room.pass(HOUR);
        store.prune_if_due().unwrap();
        assert!(room.packs().len() <= prune::MAX_PACKS + 1, "{}", room.packs().len());
    }
    let store = room.store();
    for number in 50..100 {
        assert_eq!(get(&store, number), Some(content(number)));
        assert_eq!(get(&store, 1000 + number), Some(content(1000 + number)));
    }
    let status = store.status().unwrap();
    assert!((100..200).contains(&status.contents) && status.damaged == 0, "{status:?}");
}

#[test]
fn pruning_waits_until_it_is_due() {
    let room = FreeSpace::new();
    let store = room.store();
    add(&store, &[1]);
    room.pass(2 * DAY);
    assert_eq!(store.prune_if_due().unwrap(), None);
    let lock = room.path().join("assetsync-store.lock");
    File::open(&lock).unwrap().set_modified(SystemTime::now() - DAY).unwrap();
    let held = store.lock().unwrap();
    assert_eq!(store.prune_if_due().unwrap(), None, "another is about it");
    assert!(matches!(store.prune(), Err(StoreError::Busy(_))));
    drop(held);
    assert_eq!(store.prune_if_due().unwrap().unwrap().contents, 1);
    assert_eq!(store.prune_if_due().unwrap(), None);
    assert_eq!(room.bounded(0).prune_if_due().unwrap(), None, "nothing is not over nothing");
    remember(&store, "h:p", &[1]);
    assert!(room.bounded(0).prune_if_due().unwrap().is_some());
}

#[test]
fn unfinished_files_are_removed_after_a_day() {
    let room = FreeSpace::new();
    push(&room.store(), "h:p", &[1]);
    let place = StoreDir::create(&room.path()).unwrap();
    fs::write(place.packs_dir().join("aaaaaaaaaaaaaaaa.pack"), "rubbish").unwrap();
    fs::write(place.states_dir().join("a".repeat(32)), "rubbish").unwrap();
    fs::write(place.packs_dir().join("new-0123"), "rubbish").unwrap();
    fs::write(place.packs_dir().join("mine.txt"), "mine").unwrap();
    assert_eq!(room.store().status().unwrap().damaged, 2);
    room.prune(LIMIT_BYTES);
    assert_eq!(room.files().len(), 4, "a damaged state went, what is young stays");
    room.pass(HOUR);
    room.prune(LIMIT_BYTES);
    assert_eq!(room.files().len(), 3, "a damaged pack went");
    room.pass(DAY);
    room.prune(LIMIT_BYTES);
    assert_eq!(room.files().len(), 2, "what is written for a day never ends");
    assert!(place.packs_dir().join("mine.txt").exists());
    assert!(has(&room.store(), 1));
}

#[test]
fn clearing_leaves_an_empty_store() {
    let room = FreeSpace::new();
    let store = room.store();
    push(&store, "h:p", &[1, 2]);
    push(&store, "h:q", &[2, 3]);
    let bytes = store.status().unwrap().bytes;
    let expected = Pruned { destinations: 2, contents: 3, freed_bytes: bytes };
    assert_eq!(store.clear().unwrap(), expected);
    assert!(!has(&store, 1) && room.files().is_empty());
    assert_eq!(store.clear().unwrap(), Pruned::default());
}
