//! Work of this side that takes long while the agent waits.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::error::PushError;

/// How often the progress is looked at.
const LOOK: Duration = Duration::from_millis(250);

impl Session<'_> {
    /// Runs `work` on another thread, and sends heartbeats as long as `progress` grows. Once it has
    /// not grown for the time limit of the connection, the agent is left to time out.
    pub fn while_working(
        &mut self,
        progress: &dyn Fn() -> u64,
        work: impl FnOnce() + Send,
    ) -> Result<(), PushError> {
        thread::scope(|scope| {
            let (sender, done) = channel();
            scope.spawn(move || {
                work();
                // Nobody waits any more if the connection has ended.
                let _ = sender.send(());
            });
            let (mut last, mut moved) = (progress(), Instant::now());
            loop {
                match done.recv_timeout(LOOK.min(self.timeout() / 4)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    // The end of the work, also by a panic, which the scope passes on.
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
                let now = progress();
                if now != std::mem::replace(&mut last, now) {
                    moved = Instant::now();
                }
                if moved.elapsed() < self.timeout() {
                    self.keep_alive()?;
                }
            }
        })
    }
}
