//! Many requests at a time, but not more than a server and a line can take.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::BucketError;
use crate::http::client::{AT_A_TIME, SMALL_AT_A_TIME};

/// More than [`AT_A_TIME`] requests are begun while all of them have no more content than this,
/// which a line of 100 Mbit/s carries in a round trip of 80 ms.
const LITTLE: u64 = 1 << 20;

/// Does the work for every item, several at a time; gives the results in the order of the items.
/// `size` is how many bytes of content an item has. After a failure no more are begun, and the
/// first failure is the result.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    size: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> Result<R, BucketError> + Sync,
) -> Result<Vec<R>, BucketError> {
    let queue = Queue::new(items.iter().map(size));
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while let Some(begun) = queue.next() {
            let result = work(&items[begun.at]);
            queue.ended(&begun, result.is_err());
            lock(&results).push((begun.at, result));
        }
    };
    thread::scope(|scope| {
        let threads = SMALL_AT_A_TIME.min(items.len());
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is left to do, for several threads.
struct Queue {
    schedule: Mutex<Schedule>,
    changed: Condvar,
}

impl Queue {
    fn new(sizes: impl Iterator<Item = u64>) -> Queue {
        Queue { schedule: Mutex::new(Schedule::new(sizes)), changed: Condvar::new() }
    }

    /// The next item, as soon as it may begin; none if all have begun, or one has failed.
    fn next(&self) -> Option<Begun> {
        let mut schedule = lock(&self.schedule);
        loop {
            match schedule.next() {
                Next::Begin(begun) => return Some(begun),
                Next::Over => return None,
                Next::Wait => {
                    let waited = self.changed.wait(schedule);
                    schedule = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn ended(&self, begun: &Begun, is_failed: bool) {
        lock(&self.schedule).ended(begun, is_failed);
        self.changed.notify_all();
    }
}

/// An item that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begun {
    at: usize,
    /// Bytes of content; of more than [`LITTLE`], only that they are more.
    size: u64,
    is_large: bool,
}

/// What a thread does next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Begin(Begun),
    Wait,
    Over,
}

/// Which item begins when; pure. Half of the requests under way are for the largest items that are
/// left, and half for the smallest: while small ones wait for answers, large ones use the line, and
/// none of them is left alone at the end.
#[derive(Debug, Default)]
struct Schedule {
    /// What is left, the largest first.
    left: VecDeque<(usize, u64)>,
    under_way: usize,
    large: usize,
    bytes: u64,
    is_failed: bool,
}

impl Schedule {
    fn new(sizes: impl Iterator<Item = u64>) -> Schedule {
        let mut left: Vec<(usize, u64)> = sizes.enumerate().collect();
        left.sort_by_key(|(_, size)| Reverse(*size));
        Schedule { left: left.into(), ..Schedule::default() }
    }

    fn next(&mut self) -> Next {
        let is_large = self.large * 2 <= self.under_way;
        let next = if is_large { self.left.front() } else { self.left.back() };
        let Some(&(at, size)) = next.filter(|_| !self.is_failed) else { return Next::Over };
        // Sizes come from the state, which others may have written.
        let size = size.min(LITTLE + 1);
        let is_little = self.under_way < SMALL_AT_A_TIME && self.bytes + size <= LITTLE;
        if self.under_way >= AT_A_TIME && !is_little {
            return Next::Wait;
        }
        let _ = if is_large { self.left.pop_front() } else { self.left.pop_back() };
        self.under_way += 1;
        self.large += usize::from(is_large);
        self.bytes += size;
        Next::Begin(Begun { at, size, is_large })
    }

    fn ended(&mut self, begun: &Begun, is_failed: bool) {
        self.under_way -= 1;
        self.large -= usize::from(begun.is_large);
        self.bytes -= begun.size;
        self.is_failed |= is_failed;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_are_in_order_and_a_failure_ends_it() {
        let numbers: Vec<u64> = (0..1000).collect();
        let doubled = each(&numbers, |number| *number, |number| Ok(number * 2)).unwrap();
        assert!(doubled.iter().zip(&numbers).all(|(double, number)| *double == number * 2));
        let begun = AtomicUsize::new(0);
        let failed = each(
            &numbers,
            |_| 0,
            |_| {
                begun.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>(BucketError::BusyHere)
            },
        );
        assert!(failed.is_err() && begun.into_inner() <= SMALL_AT_A_TIME);
        assert!(each(&[] as &[u8], |_| 0, |_| Ok(())).unwrap().is_empty());
    }

    /// Begins all that may begin at once.
    fn begin(schedule: &mut Schedule) -> Vec<Begun> {
        let mut all = Vec::new();
        while let Next::Begin(begun) = schedule.next() {
            all.push(begun);
        }
        all
    }

    #[test]
    fn large_and_small_items_are_under_way_together() {
        let mut schedule = Schedule::new((0..100).map(|at| at * LITTLE));
        let begun = begin(&mut schedule);
        let positions: Vec<usize> = begun.iter().map(|it| it.at).take(6).collect();
        assert_eq!(positions, [99, 0, 98, 1, 97, 2]);
        assert_eq!(begun.len(), AT_A_TIME);
        assert_eq!(schedule.next(), Next::Wait);
        schedule.ended(&begun[0], false);
        assert_eq!(begin(&mut schedule)[0].at, 91, "a large one takes its place");
        schedule.ended(&begun[1], true);
        assert_eq!(schedule.next(), Next::Over);
    }

    #[test]
    fn more_are_under_way_while_they_are_small() {
        let small = begin(&mut Schedule::new((0..100).map(|_| 1000)));
        assert_eq!(small.len(), SMALL_AT_A_TIME);
        let larger = begin(&mut Schedule::new((0..100).map(|_| LITTLE / 32)));
        assert_eq!(larger.len(), 32);
        assert_eq!(begin(&mut Schedule::new((0..3).map(|_| u64::MAX))).len(), 3);
    }
}
