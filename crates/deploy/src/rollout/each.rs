//! Runs the same work for several items in parallel, and returns one result for each.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use super::error::TargetError;

/// Runs `work` for each item, at most `limit` at a time; returns the items with their results, in
/// order. A panic is an error of that item.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    limit: usize,
    work: impl Fn(&T) -> Result<R, TargetError> + Sync,
) -> Vec<(&T, Result<R, TargetError>)> {
    let permits = Semaphore::new(limit);
    let task = &|item| {
        let _permit = permits.take();
        work(item)
    };
    thread::scope(|scope| {
        let start = |item| (item, thread::Builder::new().spawn_scoped(scope, move || task(item)));
        let threads: Vec<_> = items.iter().map(start).collect();
        let ended = threads.into_iter().map(|(item, thread)| match thread {
            Ok(thread) => (item, thread.join().unwrap_or(Err(TargetError::Ended))),
            Err(error) => (item, Err(TargetError::NoThread(error))),
        });
        ended.collect()
    })
}

/// A counting semaphore.
pub(super) struct Semaphore {
    free: Mutex<usize>,
    returned: Condvar,
}

/// Returned when it is dropped.
pub(super) struct SemaphorePermit<'a>(&'a Semaphore);

impl Semaphore {
    /// Allows `count` at a time, at least one.
    pub fn new(count: usize) -> Semaphore {
        Semaphore { free: Mutex::new(count.max(1)), returned: Condvar::new() }
    }

    /// Waits until one is free.
    pub fn take(&self) -> SemaphorePermit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.returned.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        SemaphorePermit(self)
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_the_failure_of_its_item_and_of_no_other() {
        for limit in [1, 8] {
            let done = each(&["a", "b", "c"], limit, |item| match *item {
                "b" => panic!("on purpose"),
                other => Ok(other.to_uppercase()),
            });
            let told: Vec<_> = done
                .iter()
                .map(|(item, result)| (**item, result.as_ref().map_err(ToString::to_string)))
                .collect();
            let ended = TargetError::Ended.to_string();
            let (a, c) = ("A".to_owned(), "C".to_owned());
            assert_eq!(told, [("a", Ok(&a)), ("b", Err(ended)), ("c", Ok(&c))]);
        }
    }
}
