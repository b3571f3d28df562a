//! One direction of a link, shared by all its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::faults::{Faults, Next};
use crate::pacer::Pacer;

/// One direction of a link, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Channel {
    pacer: Mutex<Pacer>,
    traffic: Mutex<Traffic>,
}

/// The bytes so far, and the faults to come.
#[derive(Debug, Default)]
struct Traffic {
    passed: u64,
    faults: Faults,
}

impl Channel {
    /// A direction that carries `rate` bytes a second.
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self { pacer: Mutex::new(Pacer::new(rate)), traffic: Mutex::default() }
    }

    /// Reserves the line for `bytes` that are ready at `now`; returns when the last of them has
    /// left.
    pub(crate) fn reserve(&self, bytes: usize, now: Instant) -> Instant {
        self.pacer.lock().unwrap_or_else(PoisonError::into_inner).reserve(bytes, now)
    }

    /// How many of the `bytes` that arrived may pass, which are counted here, and what happens
    /// next.
    pub(crate) fn admit(&self, bytes: &mut [u8]) -> (usize, Next) {
        let mut traffic = self.traffic();
        let offset = traffic.passed;
        let (pass, next) = traffic.faults.apply(offset, bytes);
        traffic.passed += pass as u64;
        (pass, next)
    }

    /// How many bytes passed.
    pub(crate) fn passed(&self) -> u64 {
        self.traffic().passed
    }

    /// Changes the faults to come.
    pub(crate) fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.traffic().faults);
    }

    /// Counts from zero, without faults.
    pub(crate) fn reset(&self) {
        *self.traffic() = Traffic::default();
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
