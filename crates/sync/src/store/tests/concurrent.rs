//! Several processes use a store at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// Two push again and again while one prunes, at the time that `now` says; every content that they
/// get right after their push is right. Gives how many were missing.
fn race(room: &FreeSpace, now: impl Fn() -> SystemTime + Sync) -> usize {
    let (done, missing) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let push_again = |site: u32| {
        for round in 0..40 {
            let store = room.store();
            let numbers: Vec<u32> = (round..round + 20).map(|n| n + 10 * site).collect();
            push(&store, &format!("h:{site}"), &numbers);
            for &number in &numbers {
                match get(&store, number) {
                    Some(got) => assert_eq!(got, content(number)),
                    None => _ = missing.fetch_add(1, Ordering::Relaxed),
                }
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    };
    let prune = || match room.store().prune_at(now()) {
        Ok(_) | Err(StoreError::Busy(_)) => {}
        Err(error) => panic!("{error}"),
    };
    thread::scope(|scope| {
        let pushers = [0, 1].map(|site| scope.spawn(move || push_again(site)));
        while pushers.iter().any(|pusher| !pusher.is_finished()) {
            prune();
        }
    });
    assert_eq!(done.into_inner(), 2);
    missing.into_inner()
}

#[test]
fn what_several_add_at_once_is_kept_once() {
    let room = FreeSpace::new();
    let store = room.store();
    let numbers: Vec<u32> = (0..200).collect();
    let added = AtomicUsize::new(0);
    let add = || added.fetch_add(add(&store, &numbers).contents as usize, Ordering::Relaxed);
    thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(add)));
    assert_eq!((added.into_inner(), room.packs().len()), (200, 1));
}

#[test]
fn pushes_and_prunes_at_once() {
    let room = FreeSpace::new();
    assert_eq!(race(&room, SystemTime::now), 0);
}

/// As if every push took more than the hour that packs have: contents may be missing, but none is
/// wrong, and states are whole.
#[test]
fn pushes_while_everything_counts_as_old() {
    let room = FreeSpace::new();
    race(&room, || room.now + 2 * HOUR);
    let store = room.store();
    for site in [0, 1] {
        assert_eq!(store.state(&key(&format!("h:{site}"))).unwrap().entries.len(), 20);
    }
    assert_eq!(store.status().unwrap().damaged, 0);
}
