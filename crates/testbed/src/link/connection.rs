//! One connection through a link.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{connect_unspec, sockopt::set_socket_linger};

use super::fault::Then;
use super::gate::Mode;
use super::lane::Lane;
use super::queue::{Item, Queue};
use super::shared::Shared;

/// The two sockets of a connection.
#[derive(Debug)]
pub(super) struct Pair {
    client: TcpStream,
    server: OnceLock<TcpStream>,
}

impl Pair {
    /// A connection whose client is there and whose server is not yet.
    pub(super) fn new(client: TcpStream) -> io::Result<Self> {
        client.set_nodelay(true)?;
        Ok(Self { client, server: OnceLock::new() })
    }

    /// Reaches the server.
    fn dial(&self, upstream: SocketAddr) -> io::Result<&TcpStream> {
        let server = TcpStream::connect(upstream)?;
        server.set_nodelay(true)?;
        Ok(self.server.get_or_init(|| server))
    }

    /// Resets both sides, so that both peers see an error and not an orderly end.
    pub(super) fn reset(&self) {
        reset(&self.client);
        if let Some(server) = self.server.get() {
            reset(server);
        }
    }
}

/// Sends a reset, whoever else holds the socket. A socket that has none to send is done for anyhow.
fn reset(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
    let _ = connect_unspec(stream);
    let _ = stream.shutdown(Shutdown::Both);
}

/// Carries a connection from its first packet to its last.
///
/// TCP's handshake happened on loopback in no time, so its cost is added here: a client may speak
/// after a round trip, and its server hears of it half a round trip later.
pub(super) fn carry(shared: &Arc<Shared>, pair: &Arc<Pair>) {
    let up = Queue::new(shared.spec.room());
    let down = Queue::new(shared.spec.room());
    if !shared.gate.sleep(shared.spec.round_trip) {
        return pair.reset();
    }
    thread::scope(|scope| {
        scope.spawn(|| receive(shared, &shared.up, &pair.client, &up));
        let arrived = shared.gate.sleep(shared.spec.one_way()) && shared.gate.pass();
        let Some(server) = arrived.then(|| pair.dial(shared.upstream).ok()).flatten() else {
            up.close();
            return pair.reset();
        };
        scope.spawn(|| receive(shared, &shared.down, server, &down));
        scope.spawn(|| deliver(shared, &shared.up, pair, server, &up));
        deliver(shared, &shared.down, pair, &pair.client, &down);
    });
}

/// Takes what `from` sends onto the line.
fn receive(shared: &Shared, lane: &Lane, mut from: &TcpStream, queue: &Queue) {
    let mut buffer = vec![0; shared.spec.chunk()];
    loop {
        acknowledge_quickly(from);
        let (bytes, item) = match from.read(&mut buffer) {
            Ok(0) => (0, Item::End),
            Ok(bytes) => (bytes, Item::Data(buffer[..bytes].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => (0, Item::Reset),
        };
        let due = lane.reserve(bytes, Instant::now()) + shared.spec.one_way();
        if !queue.push(due, item) || bytes == 0 {
            return;
        }
    }
}

/// A wire acknowledges nothing. Linux does, and late, and whoever waits for that before it says more (Nagle's algorithm,
/// which sshd leaves on) would be slowed down by what no link does.
fn acknowledge_quickly(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Brings what arrives to `to`, until its end or the connection's.
fn deliver(shared: &Shared, lane: &Lane, pair: &Pair, to: &TcpStream, queue: &Queue) {
    let ended = loop {
        match queue.pop() {
            Some(Item::Data(mut bytes)) => {
                if !hand_over(shared, lane, to, &mut bytes) {
                    break false;
                }
            }
            Some(Item::End) => break shared.gate.pass() && to.shutdown(Shutdown::Write).is_ok(),
            Some(Item::Reset) | None => break false,
        }
    };
    queue.close();
    if !ended {
        pair.reset();
    }
}

/// Writes `bytes`, as far as gate and faults let them through; false ends the connection.
fn hand_over(shared: &Shared, lane: &Lane, mut to: &TcpStream, bytes: &mut [u8]) -> bool {
    let mut done = 0;
    while done < bytes.len() {
        if !shared.gate.pass() {
            return false;
        }
        let (pass, then) = lane.admit(&mut bytes[done..]);
        if to.write_all(&bytes[done..done + pass]).is_err() || then == Then::Cut {
            return false;
        }
        if then == Then::Freeze {
            shared.gate.set(Mode::Frozen);
        }
        done += pass;
    }
    true
}
