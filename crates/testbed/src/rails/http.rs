//! As much of HTTP as a page and what it names need, over a Unix socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::{Doing, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than any answer of the application has.
const LIMIT: u64 = 64 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Asks the server behind `socket` for `path`.
pub fn get(socket: &Path, path: &str) -> Result<Answer> {
    ask(socket, path).doing("fetch a page from", socket)
}

fn ask(socket: &Path, path: &str) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Version 1.0, so that the body ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: shop.example\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.take(LIMIT).read_to_end(&mut bytes)?;
    read(&bytes).ok_or_else(|| io::Error::other(format!("{path}: no answer, or not a whole one")))
}

/// An answer of which every byte that its length promises has come.
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
    use super::*;

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
