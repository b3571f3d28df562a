//! Forwards one connection through a link.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Instant;

use crate::channel::Channel;
use crate::faults::Next;
use crate::gate::Mode;
use crate::queue::{Item, Queue};
use crate::sockets::Sockets;
use crate::state::LinkState;

/// Forwards a connection from its first packet to its last.
///
/// TCP's handshake happened on loopback in no time, so its cost is added here: a client may speak
/// after a round trip, and its server hears of it half a round trip later.
pub(crate) fn forward(link: &LinkState, sockets: &Sockets) {
    let up = Queue::new(link.spec.room());
    let down = Queue::new(link.spec.room());
    if !link.gate.sleep(link.spec.round_trip) {
        return sockets.reset();
    }
    thread::scope(|scope| {
        scope.spawn(|| receive(link, &link.up, &sockets.client, &up));
        let arrived = link.gate.sleep(link.spec.one_way()) && link.gate.pass();
        let Some(server) = arrived.then(|| sockets.connect(link.upstream).ok()).flatten() else {
            up.close();
            return sockets.reset();
        };
        scope.spawn(|| receive(link, &link.down, server, &down));
        scope.spawn(|| deliver(link, &link.up, sockets, server, &up));
        deliver(link, &link.down, sockets, &sockets.client, &down);
    });
}

/// Reads from `from` and puts what it read on the line.
fn receive(link: &LinkState, channel: &Channel, mut from: &TcpStream, queue: &Queue) {
    let mut buffer = vec![0; link.spec.chunk()];
    loop {
        acknowledge_quickly(from);
        let (bytes, item) = match from.read(&mut buffer) {
            Ok(0) => (0, Item::End),
            Ok(bytes) => (bytes, Item::Data(buffer[..bytes].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => (0, Item::Reset),
        };
        let due = channel.reserve(bytes, Instant::now()) + link.spec.one_way();
        if !queue.push(due, item) || bytes == 0 {
            return;
        }
    }
}

/// Turns delayed acknowledgements off: Nagle's algorithm, which sshd leaves on, waits for them, so
/// they would add latency that a real link does not have.
fn acknowledge_quickly(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Writes what arrives to `to`, until the end of the stream or of the connection.
fn deliver(link: &LinkState, channel: &Channel, sockets: &Sockets, to: &TcpStream, queue: &Queue) {
    let ended = loop {
        match queue.pop() {
            Some(Item::Data(mut bytes)) => {
                if !write(link, channel, to, &mut bytes) {
                    break false;
                }
            }
            Some(Item::End) => break link.gate.pass() && to.shutdown(Shutdown::Write).is_ok(),
            Some(Item::Reset) | None => break false,
        }
    };
    queue.close();
    if !ended {
        sockets.reset();
    }
}

/// Writes `bytes` as far as the gate and the faults allow; false ends the connection.
fn write(link: &LinkState, channel: &Channel, mut to: &TcpStream, bytes: &mut [u8]) -> bool {
    let mut done = 0;
    while done < bytes.len() {
        if !link.gate.pass() {
            return false;
        }
        let (pass, next) = channel.admit(&mut bytes[done..]);
        if to.write_all(&bytes[done..done + pass]).is_err() || next == Next::Cut {
            return false;
        }
        if next == Next::Freeze {
            link.gate.set(Mode::Frozen);
        }
        done += pass;
    }
    true
}
