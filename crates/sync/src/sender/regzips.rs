//! Takes `.gz` files apart on all cores while other content is sent.
//!
//! It is worth about as much time as it saves on an ordinary link. So that neither waits for the other, the cores
//! work through the files from the front, and where there are very many, the link takes those at the back as they
//! are.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// As long as so much is left that nobody has begun, the link does not wait for it, in bytes.
const MUCH: u64 = 8 << 20;

/// A `.gz` file of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Position in the plan.
    pub position: u32,
    /// Position in the source.
    pub at: usize,
    /// Bytes of the `.gz`.
    pub size: u64,
}

/// What came of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has been taken apart, or can't be.
    Done(Job),
    /// There was no time for it.
    Left(Job),
    /// Nothing yet.
    Wait,
    /// There are no more.
    Over,
}

/// Files to take apart, and those that are.
#[derive(Debug)]
pub struct Regzips {
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug)]
struct Desk {
    waiting: VecDeque<Job>,
    waiting_bytes: u64,
    done: VecDeque<Job>,
    in_work: usize,
}

impl Desk {
    fn is_more_coming(&self) -> bool {
        self.in_work > 0 || !self.waiting.is_empty()
    }
}

impl Regzips {
    /// These files, in this order.
    pub fn new(jobs: Vec<Job>) -> Regzips {
        let waiting_bytes = jobs.iter().map(|job| job.size).sum();
        let (done, in_work) = (VecDeque::new(), 0);
        let desk = Desk { waiting: jobs.into(), waiting_bytes, done, in_work };
        Regzips { desk: Mutex::new(desk), changed: Condvar::new() }
    }

    /// Takes files apart until none is left; any number of threads may.
    pub fn work(&self, take_apart: impl Fn(&Job)) {
        while let Some(job) = self.begin() {
            take_apart(&job);
            let mut desk = self.desk();
            desk.in_work -= 1;
            desk.done.push_back(job);
            self.changed.notify_all();
        }
    }

    fn begin(&self) -> Option<Job> {
        let mut desk = self.desk();
        let job = desk.waiting.pop_front()?;
        desk.waiting_bytes -= job.size;
        desk.in_work += 1;
        Some(job)
    }

    /// A file that is ready, if there is one.
    pub fn ready(&self) -> Option<Job> {
        self.desk().done.pop_front()
    }

    /// The next file, now that there is nothing else to send: one that is ready, one that will have no time, or,
    /// after `patience`, none.
    pub fn next(&self, patience: Duration) -> Outcome {
        let mut desk = self.desk();
        // Threads that have been told to work may not have begun yet: what waits is coming too.
        if desk.done.is_empty() && desk.waiting_bytes <= MUCH && desk.is_more_coming() {
            let waited = self.changed.wait_timeout(desk, patience);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(job) = desk.done.pop_front() {
            return Outcome::Done(job);
        }
        if desk.waiting_bytes > MUCH
            && let Some(job) = desk.waiting.pop_back()
        {
            desk.waiting_bytes -= job.size;
            return Outcome::Left(job);
        }
        if desk.is_more_coming() { Outcome::Wait } else { Outcome::Over }
    }

    /// Nobody begins another one.
    pub fn stop(&self) {
        let mut desk = self.desk();
        desk.waiting.clear();
        desk.waiting_bytes = 0;
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: u32, size: u64) -> Vec<Job> {
        let job = |position| Job { position, at: position as usize, size };
        (0..count).map(job).collect()
    }

    /// Everything that comes, with `work` done beforehand by nobody.
    fn drain(regzips: &Regzips) -> Vec<Outcome> {
        let next = || Some(regzips.next(Duration::ZERO)).filter(|next| *next != Outcome::Over);
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_is_taken_apart_comes_once_and_in_order() {
        let regzips = Regzips::new(jobs(3, 100));
        regzips.work(|_| {});
        assert_eq!(regzips.ready().map(|job| job.position), Some(0));
        let rest = drain(&regzips).into_iter().map(|outcome| match outcome {
            Outcome::Done(job) => job.position,
            other => panic!("{other:?}"),
        });
        assert_eq!(rest.collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn the_link_takes_the_last_ones_where_there_are_many() {
        let regzips = Regzips::new(jobs(30, 1 << 20));
        let left = (0..5).map(|_| regzips.next(Duration::ZERO));
        let left: Vec<_> = left
            .map(|outcome| match outcome {
                Outcome::Left(job) => job.position,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(left, [29, 28, 27, 26, 25]);
        regzips.work(|_| {});
        assert_eq!(drain(&regzips).len(), 25);
    }

    #[test]
    fn the_link_waits_for_few_though_no_thread_has_begun() {
        let regzips = Regzips::new(jobs(2, 100));
        assert_eq!(regzips.next(Duration::ZERO), Outcome::Wait);
        regzips.work(|_| {});
        assert!(drain(&regzips).iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
    }

    #[test]
    fn all_of_them_come_whatever_the_threads_do() {
        let regzips = Regzips::new(jobs(200, 100));
        let mut seen = std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(|| regzips.work(|_| {}))));
            let mut seen = Vec::new();
            loop {
                match regzips.next(Duration::from_secs(1)) {
                    Outcome::Done(job) | Outcome::Left(job) => seen.push(job.position),
                    Outcome::Wait => {}
                    Outcome::Over => return seen,
                }
            }
        });
        seen.sort_unstable();
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
    }
}
