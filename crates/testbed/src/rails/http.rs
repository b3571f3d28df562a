//! A minimal HTTP client over a Unix socket: enough for a page and its assets.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::{ErrorContext, Result};

/// How long a response may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// More bytes than any response of the application has.
const LIMIT: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Requests `path` from the server behind `socket`.
pub fn get(socket: &Path, path: &str) -> Result<Answer> {
    ask(socket, path).doing("fetch a page from", socket)
}

/// The same as through nginx, which retries once if a worker that ends drops the connection without
/// a response.
pub fn get_by_proxy(socket: &Path, path: &str) -> Result<Answer> {
    let first = ask(socket, path);
    let answer = match first {
        Err(error) if is_drop(&error) => ask(socket, path),
        answered => answered,
    };
    answer.doing("fetch a page from", socket)
}

fn is_drop(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// A connection that ends before the first byte of an answer counts as reset.
fn ask(socket: &Path, path: &str) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // Version 1.0, so that the body ends where the connection does.
    // And in one piece, so that nobody can answer and hang up in the middle of it.
    let request = format!("GET {path} HTTP/1.0\r\nHost: shop.example\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let end = stream.take(LIMIT).read_to_end(&mut bytes);
    match (end, bytes.is_empty()) {
        (Ok(_), true) => Err(io::ErrorKind::ConnectionReset.into()),
        (Err(error), true) => Err(error),
        (_, false) => read(&bytes).ok_or_else(|| io::Error::other("not a whole answer")),
    }
}

/// A response that is as long as its `Content-Length`, if it has one.
fn read(bytes: &[u8]) -> Option<Answer> {
    const END: &[u8] = b"\r\n\r\n";
    let end = bytes.windows(END.len()).position(|window| window == END)?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let body = &bytes[end + END.len()..];
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    match length {
        Some((_, length)) if length.parse() != Ok(body.len()) => None,
        _ => Some(Answer { status, body: body.to_vec() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// A server for one request after another: the length of what it answers, if at all.
    fn served(answers: &'static [usize], ask: fn(&Path, &str) -> Result<Answer>) -> Result<Answer> {
        let whole = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            for &length in answers {
                let (mut stream, _) = listener.accept().unwrap();
                assert_ne!(stream.read(&mut [0; 1024]).unwrap(), 0);
                stream.write_all(&whole[..length]).unwrap();
            }
        });
        let answer = ask(&socket, "/");
        server.join().unwrap();
        answer
    }

    #[test]
    fn a_proxy_asks_once_more_where_nothing_was_answered() {
        assert_eq!(served(&[0, 40], get_by_proxy).unwrap().body, b"hi");
        assert!(served(&[0], get).is_err());
        assert!(served(&[0, 0], get_by_proxy).is_err());
        assert!(served(&[20], get_by_proxy).is_err(), "half an answer is a fault");
    }

    #[test]
    fn only_a_whole_answer_is_one() {
        let whole = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(read(whole), Some(Answer { status: 200, body: b"hi".to_vec() }));
        assert_eq!(read(&whole[..whole.len() - 1]), None);
        assert_eq!(read(b"HTTP/1.0 200 OK\r\n"), None);
        let without = read(b"HTTP/1.1 404 Not Found\r\nx: y\r\n\r\n").unwrap();
        assert_eq!((without.status, without.body.len()), (404, 0));
    }
}
