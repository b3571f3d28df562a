//! Runs jobs on all cores, ahead of who takes their results in order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::error::PushError;

/// How long to wait for something before the caller may do something else.
const WAIT_LIMIT: Duration = Duration::from_millis(200);

/// How many jobs are under way for each thread.
const AHEAD: usize = 2;

/// Jobs, and who takes their results.
pub trait Jobs {
    /// What is done on some core.
    type Job: Send;
    /// What comes of it.
    type Result: Send;

    /// The next job, if there are more.
    fn next(&mut self) -> Result<Option<Self::Job>, PushError>;
    /// Takes the result of the first job whose result was not taken.
    fn take(&mut self, result: Self::Result) -> Result<(), PushError>;
    /// Called now and then while the next result is not ready.
    fn wait(&mut self) -> Result<(), PushError>;
}

/// Does all jobs with `work` on `threads` threads. A few are begun ahead of their results being
/// taken.
pub fn in_order<J: Jobs>(
    jobs: &mut J,
    threads: usize,
    work: impl Fn(J::Job) -> J::Result + Sync,
) -> Result<(), PushError> {
    let (sender, receiver) = channel::<(J::Job, SyncSender<J::Result>)>();
    let (receiver, work) = (&Mutex::new(receiver), &work);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(move || {
                while let Some((job, done)) = begin(receiver) {
                    // Nobody takes it if the transfer has failed.
                    let _ = done.send(work(job));
                }
            });
        }
        let sender = sender;
        let mut begun = VecDeque::new();
        loop {
            while begun.len() < threads * AHEAD
                && let Some(job) = jobs.next()?
            {
                let (done, result) = sync_channel(1);
                let _ = sender.send((job, done));
                begun.push_back(result);
            }
            let Some(result) = begun.pop_front() else { return Ok(()) };
            let result = finished(jobs, &result)?;
            jobs.take(result)?;
        }
    })
}

fn begin<T>(receiver: &Mutex<Receiver<T>>) -> Option<T> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn finished<J: Jobs>(jobs: &mut J, result: &Receiver<J::Result>) -> Result<J::Result, PushError> {
    receive(result, || jobs.wait())?
        .ok_or_else(|| PushError::Io(std::io::Error::other("a thread that encodes ended early")))
}

/// Receives the next item, `None` if no more will come. Calls `wait` now and then until it comes.
pub fn receive<T>(
    receiver: &Receiver<T>,
    mut wait: impl FnMut() -> Result<(), PushError>,
) -> Result<Option<T>, PushError> {
    loop {
        match receiver.recv_timeout(WAIT_LIMIT) {
            Ok(item) => return Ok(Some(item)),
            Err(RecvTimeoutError::Timeout) => wait()?,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers {
        next: usize,
        end: usize,
        fails_at: usize,
        taken: Vec<usize>,
    }

    impl Jobs for Numbers {
        type Job = usize;
        type Result = usize;

        fn next(&mut self) -> Result<Option<usize>, PushError> {
            self.next += 1;
            Ok(Some(self.next - 1).filter(|&number| number < self.end))
        }

        fn take(&mut self, result: usize) -> Result<(), PushError> {
            if result == self.fails_at {
                return Err(PushError::Vanished);
            }
            self.taken.push(result);
            Ok(())
        }

        fn wait(&mut self) -> Result<(), PushError> {
            Ok(())
        }
    }

    #[test]
    fn results_are_taken_in_order_whatever_the_threads_do() {
        for (end, threads) in [(0, 1), (1, 4), (500, 1), (500, 7)] {
            let mut numbers = Numbers { next: 0, end, fails_at: usize::MAX, taken: Vec::new() };
            in_order(&mut numbers, threads, |number| number).unwrap();
            assert!(numbers.taken.iter().copied().eq(0..end), "{end} on {threads}");
        }
    }

    #[test]
    fn a_result_that_cannot_be_taken_ends_all() {
        let mut numbers = Numbers { next: 0, end: 500, fails_at: 3, taken: Vec::new() };
        assert!(in_order(&mut numbers, 3, |number| number).is_err());
        assert_eq!(numbers.taken, [0, 1, 2]);
        assert!(numbers.next < 20, "{} were begun", numbers.next);
    }
}
