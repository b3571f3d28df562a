//! What a link's threads share.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::connection::{Pair, carry};
use super::gate::{Gate, Mode};
use super::lane::Lane;
use super::spec::LinkSpec;

/// What a link's threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) spec: LinkSpec,
    pub(super) upstream: SocketAddr,
    pub(super) up: Lane,
    pub(super) down: Lane,
    pub(super) gate: Gate,
    roll: Mutex<Roll>,
    left: Condvar,
}

/// The connections there were and are.
#[derive(Debug, Default)]
struct Roll {
    seen: u64,
    open: Vec<Arc<Pair>>,
}

impl Shared {
    /// A link to `upstream` without connections.
    pub(super) fn new(upstream: SocketAddr, spec: LinkSpec) -> Self {
        Self {
            spec,
            upstream,
            up: Lane::new(spec.rate),
            down: Lane::new(spec.rate),
            gate: Gate::default(),
            roll: Mutex::default(),
            left: Condvar::new(),
        }
    }

    /// Carries `client`'s connection on a thread of its own.
    pub(super) fn accept(self: &Arc<Self>, client: TcpStream) {
        let Ok(pair) = Pair::new(client).map(Arc::new) else { return };
        let mut roll = self.roll();
        roll.seen += 1;
        roll.open.push(Arc::clone(&pair));
        drop(roll);
        let shared = Arc::clone(self);
        thread::spawn(move || {
            carry(&shared, &pair);
            shared.leave(&pair);
        });
    }

    /// How many connections there were.
    pub(super) fn seen(&self) -> u64 {
        self.roll().seen
    }

    /// Forgets how many connections there were.
    pub(super) fn forget_seen(&self) {
        self.roll().seen = 0;
    }

    /// Resets every open connection.
    pub(super) fn reset_all(&self) {
        self.roll().open.iter().for_each(|pair| pair.reset());
    }

    /// Waits until no connection is open; false if one still is after `patience`.
    pub(super) fn wait_idle(&self, patience: Duration) -> bool {
        let busy = |roll: &mut Roll| !roll.open.is_empty();
        let waited = self.left.wait_timeout_while(self.roll(), patience, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.open.is_empty()
    }

    /// Ends every connection, and every wait of its threads.
    pub(super) fn close(&self) {
        self.gate.set(Mode::Closed);
        self.reset_all();
    }

    fn leave(&self, gone: &Arc<Pair>) {
        self.roll().open.retain(|pair| !Arc::ptr_eq(pair, gone));
        self.left.notify_all();
    }

    fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
