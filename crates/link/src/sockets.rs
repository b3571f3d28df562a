//! The two sockets of a forwarded connection.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::net::{connect_unspec, sockopt::set_socket_linger};

/// The two sockets of a forwarded connection.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// To the client.
    pub(crate) client: TcpStream,
    server: OnceLock<TcpStream>,
}

impl Sockets {
    /// A connection from `client`, not connected to its server yet.
    pub(crate) fn new(client: TcpStream) -> io::Result<Self> {
        client.set_nodelay(true)?;
        Ok(Self { client, server: OnceLock::new() })
    }

    /// Connects to the server.
    pub(crate) fn connect(&self, upstream: SocketAddr) -> io::Result<&TcpStream> {
        let server = TcpStream::connect(upstream)?;
        server.set_nodelay(true)?;
        Ok(self.server.get_or_init(|| server))
    }

    /// Resets both sides, so that both peers see an error and not an orderly end.
    pub(crate) fn reset(&self) {
        reset(&self.client);
        if let Some(server) = self.server.get() {
            reset(server);
        }
    }
}

/// Sends a TCP reset, even if another thread holds the socket. Errors mean that the connection is
/// gone already.
fn reset(stream: &TcpStream) {
    let _ = set_socket_linger(stream, Some(Duration::ZERO));
    let _ = connect_unspec(stream);
    let _ = stream.shutdown(Shutdown::Both);
}
