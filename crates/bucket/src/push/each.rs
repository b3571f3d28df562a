//! Many requests at a time, but not more than a server and a line can take.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::BucketError;
use crate::http::client::AT_A_TIME;

/// Does the work for every item, several at a time; gives the results in the order of the items.
/// After a failure no more are begun, and the first failure is the result.
pub fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, BucketError> + Sync,
) -> Result<Vec<R>, BucketError> {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while failed.load(Ordering::Relaxed) == 0 {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            failed.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, result));
        }
    };
    thread::scope(|scope| {
        let threads = AT_A_TIME.min(items.len());
        (1..threads).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_a_failure_ends_it() {
        let numbers: Vec<usize> = (0..1000).collect();
        let doubled = each(&numbers, |number| Ok(number * 2)).unwrap();
        assert!(doubled.iter().enumerate().all(|(at, double)| *double == at * 2));
        let begun = AtomicUsize::new(0);
        let failed = each(&numbers, |_| {
            begun.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(BucketError::BusyHere)
        });
        assert!(failed.is_err() && begun.into_inner() <= AT_A_TIME);
        assert!(each(&[] as &[u8], |_| Ok(())).unwrap().is_empty());
    }
}
