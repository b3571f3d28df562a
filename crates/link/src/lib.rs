//! A TCP forwarder in front of a port: it counts bytes, limits rate and latency, and breaks on
//! demand.
//!
//! It uses threads and blocking sockets, so that what it does is plain to see. Time is only ever
//! added: a byte arrives once the line has carried all before it and itself, and half a round trip
//! has passed.

mod channel;
mod connection;
mod error;
mod faults;
mod gate;
mod pacer;
mod queue;
mod sockets;
mod spec;
mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use error::{Error, Result};
pub use spec::LinkSpec;

use channel::Channel;
use connection::forward;
use gate::Mode;
use sockets::Sockets;
use state::LinkState;

/// How long a dropped link waits for its threads, which have nothing left to wait for.
const DROP_TIMEOUT: Duration = Duration::from_secs(60);

/// A direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Sent,
    /// From the server to the client.
    Received,
}

/// Traffic of a link.
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
    state: Arc<LinkState>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Link {
    /// A link with the latency and rate of `spec` to `port` on 127.0.0.1.
    pub fn to(port: u16, spec: LinkSpec) -> Result<Self> {
        Self::to_address((Ipv4Addr::LOCALHOST, port).into(), spec)
    }

    /// A link to another host; the latency of the network is added to that of the link.
    pub fn to_address(upstream: SocketAddr, spec: LinkSpec) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::Bind)?;
        let own = listener.local_addr().map_err(Error::Bind)?.port();
        let state = Arc::new(LinkState::new(upstream, spec));
        let accepting = Arc::clone(&state);
        let acceptor = thread::spawn(move || accept(&listener, &accepting));
        Ok(Self { state, port: own, acceptor: Some(acceptor) })
    }

    /// The port on 127.0.0.1 to connect to instead.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its latency and rate.
    #[must_use]
    pub fn spec(&self) -> LinkSpec {
        self.state.spec
    }

    /// Traffic since the start or the last [`Self::reset`], without what is in flight: call
    /// [`Self::wait_idle`] first to count whole connections.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.state.accepted(),
            sent: self.state.up.passed(),
            received: self.state.down.passed(),
        }
    }

    /// Counts from zero, drops all faults, and thaws the link.
    pub fn reset(&self) {
        self.state.up.reset();
        self.state.down.reset();
        self.state.reset_accepted();
        self.thaw();
    }

    /// Waits until every connection has ended on both sides; false if one still lasts after
    /// `timeout`.
    #[must_use]
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        self.state.wait_idle(timeout)
    }

    /// Stops forwarding both ways and leaves every connection open, as when a host loses its
    /// network. New connections are accepted and receive nothing.
    pub fn freeze(&self) {
        self.state.gate.set(Mode::Frozen);
    }

    /// Forwards again after [`Self::freeze`].
    pub fn thaw(&self) {
        self.state.gate.set(Mode::Open);
    }

    /// Resets every open connection now.
    pub fn cut(&self) {
        self.state.reset_connections();
    }

    /// Resets the connection that carries byte number `bytes` of `direction`, right after it. Like
    /// all faults it happens once, and counts as [`Self::counts`] does, over all connections.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.channel(direction).with_faults(|faults| faults.cut = Some(bytes));
    }

    /// Freezes the link after `bytes` of `direction`.
    pub fn freeze_after(&self, direction: Direction, bytes: u64) {
        self.channel(direction).with_faults(|faults| faults.freeze = Some(bytes));
    }

    /// Flips the lowest bit of the byte at `offset` in `direction`.
    pub fn flip_bit(&self, direction: Direction, offset: u64) {
        self.channel(direction).with_faults(|faults| faults.flips.push(offset));
    }

    fn channel(&self, direction: Direction) -> &Channel {
        match direction {
            Direction::Sent => &self.state.up,
            Direction::Received => &self.state.down,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.close();
        // The acceptor blocks in accept(); this connection wakes it.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken.is_ok()) {
            let _ = acceptor.join();
        }
        // Once more, for a connection that was accepted meanwhile.
        self.state.close();
        let _ = self.state.wait_idle(DROP_TIMEOUT);
    }
}

/// Accepts connections until the link is closed.
fn accept(listener: &TcpListener, state: &Arc<LinkState>) {
    while let Ok((client, _)) = listener.accept() {
        if state.gate.closed() {
            return;
        }
        let Ok(sockets) = Sockets::new(client).map(Arc::new) else { continue };
        state.add(&sockets);
        let state = Arc::clone(state);
        thread::spawn(move || {
            forward(&state, &sockets);
            state.remove(&sockets);
        });
    }
}

#[cfg(test)]
mod tests;
