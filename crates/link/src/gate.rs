//! Opens, freezes and closes a link.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Whether a link forwards bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// It does.
    #[default]
    Open,
    /// It does not, and its connections stay open.
    Frozen,
    /// It never will again: its connections end.
    Closed,
}

/// The mode of a link, which threads can wait for.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    mode: Mutex<Mode>,
    changed: Condvar,
}

impl Gate {
    /// Changes the mode, unless the gate is closed for good.
    pub(crate) fn set(&self, mode: Mode) {
        let mut current = self.lock();
        if *current != Mode::Closed {
            *current = mode;
        }
        self.changed.notify_all();
    }

    /// Waits until the gate is open; false if it never will be.
    pub(crate) fn pass(&self) -> bool {
        let frozen = |mode: &mut Mode| *mode == Mode::Frozen;
        let waited = self.changed.wait_while(self.lock(), frozen);
        *waited.unwrap_or_else(PoisonError::into_inner) == Mode::Open
    }

    /// Sleeps for `time`; false as soon as the gate is closed.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let not_closed = |mode: &mut Mode| *mode != Mode::Closed;
        let waited = self.changed.wait_timeout_while(self.lock(), time, not_closed);
        *waited.unwrap_or_else(PoisonError::into_inner).0 != Mode::Closed
    }

    /// Whether the gate is closed for good.
    pub(crate) fn closed(&self) -> bool {
        *self.lock() == Mode::Closed
    }

    fn lock(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_wakes_sleepers_and_lasts() {
        let gate = Gate::default();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| gate.sleep(Duration::from_secs(600)));
            gate.set(Mode::Closed);
            assert!(!sleeper.join().unwrap());
        });
        gate.set(Mode::Open);
        assert!(!gate.pass());
    }

    #[test]
    fn a_thawed_gate_lets_pass() {
        let gate = Gate::default();
        gate.set(Mode::Frozen);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| gate.pass());
            gate.set(Mode::Open);
            assert!(waiter.join().unwrap());
        });
    }
}
