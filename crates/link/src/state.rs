//! The state that all threads of a link share.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::channel::Channel;
use crate::gate::{Gate, Mode};
use crate::sockets::Sockets;
use crate::spec::LinkSpec;

/// The state that all threads of a link share.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) spec: LinkSpec,
    pub(crate) upstream: SocketAddr,
    pub(crate) up: Channel,
    pub(crate) down: Channel,
    pub(crate) gate: Gate,
    connections: Mutex<Connections>,
    closed: Condvar,
}

/// The connections so far.
#[derive(Debug, Default)]
struct Connections {
    accepted: u64,
    open: Vec<Arc<Sockets>>,
}

impl LinkState {
    /// A link to `upstream` without connections.
    pub(crate) fn new(upstream: SocketAddr, spec: LinkSpec) -> Self {
        Self {
            spec,
            upstream,
            up: Channel::new(spec.rate),
            down: Channel::new(spec.rate),
            gate: Gate::default(),
            connections: Mutex::default(),
            closed: Condvar::new(),
        }
    }

    /// Adds an open connection.
    pub(crate) fn add(&self, sockets: &Arc<Sockets>) {
        let mut connections = self.connections();
        connections.accepted += 1;
        connections.open.push(Arc::clone(sockets));
    }

    /// Removes a connection that has ended.
    pub(crate) fn remove(&self, sockets: &Arc<Sockets>) {
        self.connections().open.retain(|open| !Arc::ptr_eq(open, sockets));
        self.closed.notify_all();
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.connections().accepted
    }

    /// Counts connections from zero.
    pub(crate) fn reset_accepted(&self) {
        self.connections().accepted = 0;
    }

    /// Resets every open connection.
    pub(crate) fn reset_connections(&self) {
        self.connections().open.iter().for_each(|sockets| sockets.reset());
    }

    /// Waits until no connection is open; false if one still is after `timeout`.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        let busy = |connections: &mut Connections| !connections.open.is_empty();
        let waited = self.closed.wait_timeout_while(self.connections(), timeout, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.open.is_empty()
    }

    /// Ends every connection, and every wait of its threads.
    pub(crate) fn close(&self) {
        self.gate.set(Mode::Closed);
        self.reset_connections();
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
