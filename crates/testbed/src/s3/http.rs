//! HTTP/1.1 as far as tests of object storage need it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A server that is silent for so long is broken.
const SILENCE: Duration = Duration::from_secs(60);

/// A message: its first line, its headers with names in lower case, its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The first line.
    pub first: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Reply {
    /// The status of an answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Reads a message; `None` if the other side has closed the connection. An answer to HEAD has
    /// no content.
    pub fn read(reader: &mut impl BufRead, is_head: bool) -> io::Result<Option<Reply>> {
        Reply::read_asking(reader, &mut io::sink(), is_head)
    }

    /// The same; a client that waits for that is asked to go on with the content.
    pub(super) fn read_asking(
        reader: &mut impl BufRead,
        writer: &mut impl Write,
        is_head: bool,
    ) -> io::Result<Option<Reply>> {
        let mut reply = Reply { first: line(reader)?, ..Reply::default() };
        if reply.first.is_empty() {
            return Ok(None);
        }
        loop {
            let text = line(reader)?;
            let Some((name, value)) = text.split_once(':') else { break };
            reply.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let has_none = is_head || matches!(reply.status(), 100..=199 | 204 | 304);
        if has_none {
            return Ok(Some(reply));
        }
        if reply.header("expect").is_some() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            reply.headers.retain(|(name, _)| name != "expect");
        }
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = chunks(reader)?;
        } else if let Some(length) = reply.header("content-length") {
            let length: u64 = length.parse().map_err(io::Error::other)?;
            reader.take(length).read_to_end(&mut reply.body)?;
            if reply.body.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(reply))
    }

    /// Writes the message; its content has a length.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        let mut bytes = format!("{}\r\n", self.first).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "transfer-encoding") {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if self.header("content-length").is_none() && !self.body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        writer.write_all(&bytes)
    }
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = u64::from_str_radix(line(reader)?.trim(), 16).map_err(io::Error::other)?;
        reader.take(length).read_to_end(&mut body)?;
        line(reader)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Asks the server on a port of 127.0.0.1, without a signature.
pub fn ask(port: u16, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(SILENCE))?;
    let headers = [
        ("host", format!("127.0.0.1:{port}")),
        ("connection", "close".to_owned()),
        ("content-length", body.len().to_string()),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let request = Reply { first: format!("{method} {path} HTTP/1.1"), headers, body: body.into() };
    request.write(&mut stream)?;
    let reply = Reply::read(&mut BufReader::new(stream), method == "HEAD")?;
    reply.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
