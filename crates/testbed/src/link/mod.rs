//! A forwarder in front of a port: it counts, it is slow, it breaks.
//!
//! Threads and blocking sockets, because what goes through it is the code under test and what it
//! does must be plain to see. Time is only ever added: a byte arrives when the line has carried
//! all before it and itself, and half a round trip has passed.

mod connection;
mod fault;
mod gate;
mod lane;
mod pacer;
mod queue;
mod shared;
mod spec;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gate::Mode;
use lane::Lane;
use shared::Shared;
pub use spec::LinkSpec;

use crate::error::{Doing, Result};

/// How long a dropped link waits for its threads, which have nothing left to wait for.
const FAREWELL: Duration = Duration::from_secs(5);

/// One way along a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Sent,
    /// From the server to the client.
    Received,
}

/// What went through a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Bytes that reached the server: TCP payload, no headers.
    pub sent: u64,
    /// Bytes that reached the client.
    pub received: u64,
}

/// A forwarder to a port, on 127.0.0.1 or elsewhere; dropping it resets its connections.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Link {
    /// A link like `spec` to `port` on 127.0.0.1.
    pub fn to(port: u16, spec: LinkSpec) -> Result<Self> {
        Self::to_address((Ipv4Addr::LOCALHOST, port).into(), spec)
    }

    /// A link like `spec` to another host; what the way there takes is added to what the link does.
    pub fn to_address(upstream: SocketAddr, spec: LinkSpec) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").doing("bind", "127.0.0.1")?;
        let own = listener.local_addr().doing("bind", "127.0.0.1")?.port();
        let shared = Arc::new(Shared::new(upstream, spec));
        let accepting = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { shared, port: own, acceptor: Some(acceptor) })
    }

    /// The port on 127.0.0.1 to connect to instead.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the link is like.
    #[must_use]
    pub fn spec(&self) -> LinkSpec {
        self.shared.spec
    }

    /// What went through since the start or the last [`Self::reset`]. What is still on its way is
    /// not in it; [`Self::wait_idle`] first for a whole conversation.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.shared.seen(),
            sent: self.shared.up.passed(),
            received: self.shared.down.passed(),
        }
    }

    /// Counts from zero, forgets all faults, and carries on if frozen.
    pub fn reset(&self) {
        self.shared.up.reset();
        self.shared.down.reset();
        self.shared.forget_seen();
        self.thaw();
    }

    /// Waits until every connection has ended on both sides; false if one still lasts after
    /// `patience`.
    #[must_use]
    pub fn wait_idle(&self, patience: Duration) -> bool {
        self.shared.wait_idle(patience)
    }

    /// Stops carrying anything, both ways, with every connection left open: the peer of a host
    /// that lost its network sees just this. New connections are taken and hear nothing.
    pub fn freeze(&self) {
        self.shared.gate.set(Mode::Frozen);
    }

    /// Carries on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.shared.gate.set(Mode::Open);
    }

    /// Resets every open connection now.
    pub fn cut(&self) {
        self.shared.reset_all();
    }

    /// Resets the connection that carries byte number `bytes` of `direction`, right after it. Like
    /// all faults it strikes once, and counts as [`Self::counts`] does, over all connections.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.lane(direction).with_faults(|faults| faults.cut = Some(bytes));
    }

    /// Freezes the link after `bytes` of `direction`.
    pub fn freeze_after(&self, direction: Direction, bytes: u64) {
        self.lane(direction).with_faults(|faults| faults.freeze = Some(bytes));
    }

    /// Turns the lowest bit of the byte of `direction` that `offset` others come before.
    pub fn flip_bit(&self, direction: Direction, offset: u64) {
        self.lane(direction).with_faults(|faults| faults.flips.push(offset));
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Sent => &self.shared.up,
            Direction::Received => &self.shared.down,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.close();
        // The acceptor waits for a connection; this is the last one.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken.is_ok()) {
            let _ = acceptor.join();
        }
        // Once more, for a connection that was accepted meanwhile.
        self.shared.close();
        let _ = self.shared.wait_idle(FAREWELL);
    }
}

/// Takes connections until the link is closed.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((client, _)) = listener.accept() {
        if shared.gate.closed() {
            return;
        }
        shared.accept(client);
    }
}

#[cfg(test)]
mod tests;
