//! Splits `.gz` files on all cores while other content is sent.
//!
//! Splitting takes about as long as it saves on an ordinary link. So that neither waits for the
//! other, the cores work through the files from the front, and if there are very many, those at the
//! back are sent as they are. On a line that carries a file sooner than the cores split it, no more
//! are split.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assetsync_core::index::ActionIndex;

use crate::compare::source_index::SourceIndex;
use crate::cost::line::Line;

/// While more than this is left that no core has begun, the link does not wait, in bytes.
const MUCH: u64 = 8 << 20;

/// Bytes that a core splits in a second, until it is measured.
const CORE_SPEED: f64 = 5e6;

/// Less than this says nothing of a core's speed, in bytes.
const MEASURED_BYTES: u64 = 1 << 20;

/// A `.gz` file of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzJob {
    /// Position in the plan.
    pub position: ActionIndex,
    /// Position in the source.
    pub at: SourceIndex,
    /// Bytes of the `.gz`.
    pub size: u64,
}

/// The result for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextGz {
    /// It has been split, or can't be.
    Done(GzJob),
    /// There was no time to split it.
    Left(GzJob),
    /// Nothing yet.
    Wait,
    /// There are no more.
    Over,
}

/// Files to split, and those that are split.
#[derive(Debug)]
pub struct GzSplitter {
    locked: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<GzJob>,
    waiting_bytes: u64,
    done: VecDeque<GzJob>,
    in_work: usize,
    threads: usize,
    /// Bytes that were split, and the time that all threads took for them.
    split_bytes: u64,
    split_time: Duration,
    /// The line carries a file sooner than the cores split it.
    gives_up: bool,
}

impl Queue {
    /// Bytes that a core splits in a second.
    fn core_speed(&self) -> f64 {
        match self.split_bytes {
            MEASURED_BYTES.. => self.split_bytes as f64 / self.split_time.as_secs_f64(),
            _ => CORE_SPEED,
        }
    }

    /// Whether waiting files are sent as they are.
    fn leaves_some(&self) -> bool {
        self.waiting_bytes > MUCH || self.gives_up && !self.waiting.is_empty()
    }

    fn is_more_coming(&self) -> bool {
        self.in_work > 0 || !self.waiting.is_empty()
    }
}

impl GzSplitter {
    /// These files, in this order.
    pub fn new(jobs: Vec<GzJob>) -> GzSplitter {
        let waiting_bytes = jobs.iter().map(|job| job.size).sum();
        let locked = Queue { waiting: jobs.into(), waiting_bytes, ..Queue::default() };
        GzSplitter { locked: Mutex::new(locked), changed: Condvar::new() }
    }

    /// Splits files until none is left. Any number of threads can call it.
    pub fn work(&self, split_gz: impl Fn(&GzJob)) {
        self.locked().threads += 1;
        while let Some(job) = self.begin() {
            let since = Instant::now();
            split_gz(&job);
            let mut locked = self.locked();
            locked.in_work -= 1;
            locked.split_bytes += job.size;
            locked.split_time += since.elapsed();
            locked.done.push_back(job);
            self.changed.notify_all();
        }
    }

    fn begin(&self) -> Option<GzJob> {
        let mut locked = self.locked();
        if locked.gives_up {
            return None;
        }
        let job = locked.waiting.pop_front()?;
        locked.waiting_bytes -= job.size;
        locked.in_work += 1;
        Some(job)
    }

    /// Splits no more files if the line carries them sooner.
    pub fn follow(&self, line: Line) {
        let mut locked = self.locked();
        let speed = locked.threads.max(1) as f64 * locked.core_speed();
        locked.gives_up |= line.carries_more_than(speed);
    }

    /// A file that is ready, if there is one.
    pub fn ready(&self) -> Option<GzJob> {
        self.locked().done.pop_front()
    }

    /// The next file, when there is nothing else to send: one that is ready, one that is not going
    /// to be split, or, after `patience`, none.
    pub fn next(&self, patience: Duration) -> NextGz {
        let mut locked = self.locked();
        // Threads may not have begun yet, so waiting files count as being split.
        if locked.done.is_empty() && !locked.leaves_some() && locked.is_more_coming() {
            let waited = self.changed.wait_timeout(locked, patience);
            locked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(job) = locked.done.pop_front() {
            return NextGz::Done(job);
        }
        if locked.leaves_some()
            && let Some(job) = locked.waiting.pop_back()
        {
            locked.waiting_bytes -= job.size;
            return NextGz::Left(job);
        }
        if locked.is_more_coming() { NextGz::Wait } else { NextGz::Over }
    }

    /// No thread begins another file.
    pub fn stop(&self) {
        let mut locked = self.locked();
        locked.waiting.clear();
        locked.waiting_bytes = 0;
    }

    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::index::Index;

    use super::*;

    fn jobs(count: u32, size: u64) -> Vec<GzJob> {
        let job =
            |position: ActionIndex| GzJob { position, at: Index::at(position.position()), size };
        Index::range(0..count).map(job).collect()
    }

    /// Everything that comes, with `work` done beforehand by nobody.
    fn drain(regzips: &GzSplitter) -> Vec<NextGz> {
        let next = || Some(regzips.next(Duration::ZERO)).filter(|next| *next != NextGz::Over);
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn what_is_taken_apart_comes_once_and_in_order() {
        let regzips = GzSplitter::new(jobs(3, 100));
        regzips.work(|_| {});
        assert_eq!(regzips.ready().map(|job| job.position), Some(Index::new(0)));
        let rest = drain(&regzips).into_iter().map(|outcome| match outcome {
            NextGz::Done(job) => job.position,
            other => panic!("{other:?}"),
        });
        assert_eq!(rest.collect::<Vec<_>>(), [1, 2].map(Index::new));
    }

    #[test]
    fn the_link_takes_the_last_ones_where_there_are_many() {
        let regzips = GzSplitter::new(jobs(30, 1 << 20));
        let left = (0..5).map(|_| regzips.next(Duration::ZERO));
        let left: Vec<_> = left
            .map(|outcome| match outcome {
                NextGz::Left(job) => job.position,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(left, [29, 28, 27, 26, 25].map(Index::new));
        regzips.work(|_| {});
        assert_eq!(drain(&regzips).len(), 25);
    }

    #[test]
    fn on_a_quick_line_all_are_left_that_no_thread_has_begun() {
        let regzips = GzSplitter::new(jobs(3, 100));
        regzips.follow(Line::UNKNOWN);
        assert_eq!(regzips.next(Duration::ZERO), NextGz::Wait);
        regzips.follow(Line::measured(500_000_000));
        regzips.work(|_| panic!("the line is quicker"));
        let left = drain(&regzips).into_iter().map(|outcome| match outcome {
            NextGz::Left(job) => job.position,
            other => panic!("{other:?}"),
        });
        assert_eq!(left.collect::<Vec<_>>(), [2, 1, 0].map(Index::new));
    }

    #[test]
    fn the_link_waits_for_few_though_no_thread_has_begun() {
        let regzips = GzSplitter::new(jobs(2, 100));
        assert_eq!(regzips.next(Duration::ZERO), NextGz::Wait);
        regzips.work(|_| {});
        assert!(drain(&regzips).iter().all(|outcome| matches!(outcome, NextGz::Done(_))));
    }

    #[test]
    fn all_of_them_come_whatever_the_threads_do() {
        let regzips = GzSplitter::new(jobs(200, 100));
        let mut seen = std::thread::scope(|scope| {
            (0..3).for_each(|_| drop(scope.spawn(|| regzips.work(|_| {}))));
            let mut seen = Vec::new();
            loop {
                match regzips.next(Duration::from_secs(1)) {
                    NextGz::Done(job) | NextGz::Left(job) => seen.push(job.position),
                    NextGz::Wait => {}
                    NextGz::Over => return seen,
                }
            }
        });
        seen.sort_unstable();
        assert_eq!(seen, Index::range(0..200).collect::<Vec<_>>());
    }
}
