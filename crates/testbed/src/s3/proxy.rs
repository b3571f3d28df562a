//! Between a client and a server of HTTP: counts requests, and decides what becomes of each.

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::http::Reply;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to the server, and the answer comes back.
    Pass,
    /// The proxy answers itself, with this status and code.
    Answer(u16, &'static str),
    /// The connection is closed; the server does not get it.
    Drop,
    /// The server gets it; the connection is closed in place of the answer.
    DropAnswer,
}

type Decide = dyn Fn(usize, &Reply) -> Verdict + Send + Sync;

struct Shared {
    upstream: u16,
    decide: Box<Decide>,
    /// The first line of every request.
    requests: Mutex<Vec<String>>,
    over: AtomicBool,
}

/// A proxy in front of a server on 127.0.0.1.
pub struct HttpProxy {
    shared: Arc<Shared>,
    port: u16,
}

impl HttpProxy {
    /// A proxy that asks `decide` about every request, by its number from 1.
    pub fn to(
        upstream: u16,
        decide: impl Fn(usize, &Reply) -> Verdict + Send + Sync + 'static,
    ) -> io::Result<HttpProxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            upstream,
            decide: Box::new(decide),
            requests: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that fails is for its client to notice.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Ok(HttpProxy { shared, port })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The first lines of all requests so far, without what signs them.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut from_client = BufReader::new(client.try_clone()?);
        let mut from_server = BufReader::new(server.try_clone()?);
        while let Some(request) = Reply::read_asking(&mut from_client, &mut client, false)? {
            let number = self.note(&request.first);
            let verdict = (self.decide)(number, &request);
            let answer = match verdict {
                Verdict::Answer(status, code) => refusal(status, code),
                Verdict::Drop => return client.shutdown(Shutdown::Both),
                Verdict::Pass | Verdict::DropAnswer => {
                    request.write(&mut server)?;
                    let is_head = request.first.starts_with("HEAD ");
                    let answer = Reply::read(&mut from_server, is_head)?;
                    answer.ok_or(io::ErrorKind::UnexpectedEof)?
                }
            };
            if verdict == Verdict::DropAnswer {
                return client.shutdown(Shutdown::Both);
            }
            answer.write(&mut client)?;
        }
        Ok(())
    }

    fn note(&self, first: &str) -> usize {
        let plain = first.split("X-Amz-").next().unwrap_or(first).trim_end_matches(['?', '&']);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(plain.to_owned());
        requests.len()
    }
}

/// An answer as servers refuse a request.
fn refusal(status: u16, code: &str) -> Reply {
    let body = format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>");
    let headers = vec![("content-type".to_owned(), "application/xml".to_owned())];
    Reply { first: format!("HTTP/1.1 {status} Told"), headers, body: body.into_bytes() }
}
