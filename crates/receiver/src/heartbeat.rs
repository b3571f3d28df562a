//! Heartbeats: frames that say that the work goes on. They stop when it is stuck, so that the
//! sender times out; and if they can't be written, the sender is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assetsync_core::protocol::{FrameKind, put_frame};
use rustix::time::{ClockId, clock_gettime};

use crate::output::Output;

/// How long a sync may take: meanwhile the system works, and this process does not.
const LONGEST_SYNC: Duration = Duration::from_secs(15 * 60);

/// What the agent is doing, for the heartbeats.
#[derive(Debug, Default)]
pub struct Activity {
    /// It waits for the sender.
    pub waiting: AtomicBool,
    /// It publishes: that is completed whatever becomes of the sender.
    pub publishing: AtomicBool,
    /// The conversation has ended.
    pub done: AtomicBool,
}

/// Tells whether the work goes on: the process has used processor time, or waits for something that
/// is no work of its own.
struct Progress {
    /// The most that can have been used at the last look.
    used: Duration,
    sync_since: Option<Instant>,
}

impl Progress {
    /// Whether anything was done since the last call.
    fn is_made(&mut self, activity: &Activity) -> bool {
        let (least, most) = others_time();
        let has_run = least > std::mem::replace(&mut self.used, most);
        self.sync_since = match assetsync_tree::is_syncing() {
            true => self.sync_since.or_else(|| Some(Instant::now())),
            false => None,
        };
        let is_syncing = self.sync_since.is_some_and(|since| since.elapsed() < LONGEST_SYNC);
        has_run || is_syncing || activity.waiting.load(Ordering::Relaxed)
    }
}

/// The least and the most processor time that all threads but this one have used.
fn others_time() -> (Duration, Duration) {
    let time = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    };
    // This thread goes on while it looks.
    let before = time(ClockId::ThreadCPUTime);
    let all = time(ClockId::ProcessCPUTime);
    let after = time(ClockId::ThreadCPUTime);
    (all.saturating_sub(after), all.saturating_sub(before))
}

/// Writes a heartbeat whenever nothing else was written for a while, until the conversation ends.
/// If the sender is gone, and nothing is being published, calls `gone`.
pub fn send_heartbeats(
    output: &Mutex<Output>,
    activity: &Activity,
    every: Duration,
    gone: impl FnOnce(),
) {
    let mut frame = Vec::new();
    put_frame(&mut frame, FrameKind::Heartbeat, &[]);
    let mut progress = Progress { used: Duration::ZERO, sync_since: None };
    while !activity.done.load(Ordering::Relaxed) {
        std::thread::sleep(every / 2);
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.last.elapsed() < every || !progress.is_made(activity) {
            continue;
        }
        if output.write(&frame).is_err() {
            if !activity.publishing.load(Ordering::Relaxed) {
                gone();
            }
            return;
        }
    }
}
