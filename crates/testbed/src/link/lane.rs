//! One direction of a link, shared by all its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fault::{Faults, Then};
use super::pacer::Pacer;

/// One direction of a link, shared by all its connections.
#[derive(Debug)]
pub(super) struct Lane {
    pacer: Mutex<Pacer>,
    traffic: Mutex<Traffic>,
}

/// What passed, and what is yet to go wrong.
#[derive(Debug, Default)]
struct Traffic {
    passed: u64,
    faults: Faults,
}

impl Lane {
    /// A direction that carries `rate` bytes a second.
    pub(super) fn new(rate: Option<u64>) -> Self {
        Self { pacer: Mutex::new(Pacer::new(rate)), traffic: Mutex::default() }
    }

    /// Takes the line for `bytes` ready at `now`; returns when the last of them has left.
    pub(super) fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner).reserve(bytes, now)
    }

    /// Says how many of the `bytes` that arrived may pass, counts those, and says what then.
    pub(super) fn admit(&self, bytes: &mut [u8]) -> (usize, Then) {
        let mut traffic = self.traffic();
        let offset = traffic.passed;
        let (pass, then) = traffic.faults.strike(offset, bytes);
        traffic.passed += pass as u64;
        (pass, then)
    }

    /// How many bytes passed.
    pub(super) fn passed(&self) -> u64 {
        self.traffic().passed
    }

    /// Changes what is yet to go wrong.
    pub(super) fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.traffic().faults);
    }

    /// Forgets what passed and what was to go wrong.
    pub(super) fn reset(&self) {
        *self.traffic() = Traffic::default();
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
