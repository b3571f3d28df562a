//! Remote files: written with many requests in flight, or read whole up to a limit.

use std::collections::VecDeque;

use super::wire::{Fields, Packet, kind};
use super::{FSYNC, Op, Result, SftpError, SftpErrorKind, SftpSession, is_end_of_file};

/// Every server accepts this much in one request.
const CHUNK: usize = 32 * 1024;
/// Requests in flight: 2 MiB hide 50 ms at 40 MB/s, and their answers fit any pipe.
const IN_FLIGHT: usize = 64;
const READ: u32 = 1;
const WRITE: u32 = 2;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;

/// A remote file being written.
#[derive(Debug)]
pub struct SftpFile<'s> {
    session: &'s mut SftpSession,
    path: Vec<u8>,
    handle: Vec<u8>,
    offset: u64,
    in_flight: VecDeque<u32>,
}

impl SftpSession {
    /// Creates a file for writing; an exclusive one must not exist, another one is truncated.
    pub fn create(&mut self, path: &[u8], mode: u32, exclusive: bool) -> Result<SftpFile<'_>> {
        let flags = WRITE | CREATE | if exclusive { EXCLUSIVE } else { TRUNCATE };
        let handle = self.handle(Op("create", path), |id| {
            Packet::new(kind::OPEN).u32(id).string(path).u32(flags).attributes(Some(mode), None)
        })?;
        let (path, in_flight) = (path.to_vec(), VecDeque::new());
        Ok(SftpFile { session: self, path, handle, offset: 0, in_flight })
    }

    /// Reads a whole file of at most `limit` bytes.
    pub fn read(&mut self, path: &[u8], limit: usize) -> Result<Vec<u8>> {
        let op = Op("read", path);
        let handle = self.handle(op, |id| {
            Packet::new(kind::OPEN).u32(id).string(path).u32(READ).attributes(None, None)
        })?;
        let content = self.read_chunks(op, &handle, limit);
        self.close(op, &handle)?;
        content
    }

    fn read_chunks(&mut self, op: Op<'_>, handle: &[u8], limit: usize) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let offset = content.len() as u64;
            let reply = self.ask(op, |id| {
                Packet::new(kind::READ).u32(id).string(handle).u64(offset).u32(CHUNK as u32)
            })?;
            if is_end_of_file(&reply) {
                return Ok(content);
            }
            let body = op.expect(reply, kind::DATA)?;
            match Fields(&body).string() {
                Some(data @ [_, ..]) => content.extend_from_slice(data),
                _ => return Err(op.broken()),
            }
            if content.len() > limit {
                return Err(op.error(SftpErrorKind::Failure, format!("larger than {limit} bytes")));
            }
        }
    }
}

impl SftpFile<'_> {
    /// Writes at the end; an error may be returned only by a later call or by [`SftpFile::close`].
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        for chunk in bytes.chunks(CHUNK) {
            if self.in_flight.len() >= IN_FLIGHT {
                self.await_one()?;
            }
            let Self { session, path, handle, offset, .. } = self;
            let id = session.send(Op("write", path), |id| {
                Packet::new(kind::WRITE).u32(id).string(handle).u64(*offset).string(chunk)
            })?;
            self.in_flight.push_back(id);
            self.offset += chunk.len() as u64;
        }
        Ok(())
    }

    /// Sets permission bits, modification time, or both.
    pub fn set_attributes(&mut self, mode: Option<u32>, mtime: Option<u32>) -> Result<()> {
        self.await_all()?;
        let Self { session, path, handle, .. } = self;
        session.done(Op("set attributes of", path), |id| {
            Packet::new(kind::FSETSTAT).u32(id).string(handle).attributes(mode, mtime)
        })
    }

    /// Makes the content durable; false if the server does not support it.
    pub fn sync(&mut self) -> Result<bool> {
        self.await_all()?;
        if !self.session.has(FSYNC) {
            return Ok(false);
        }
        let Self { session, path, handle, .. } = self;
        let packet =
            |id| Packet::new(kind::EXTENDED).u32(id).string(FSYNC.as_bytes()).string(handle);
        session.done(Op("sync", path), packet).map(|()| true)
    }

    /// Waits for every write and closes the file; only then is it known to be whole.
    pub fn close(mut self) -> Result<()> {
        let written = self.await_all();
        let handle = std::mem::take(&mut self.handle);
        let closed = self.session.close(Op("close", &self.path), &handle);
        written.and(closed)
    }

    fn await_all(&mut self) -> Result<()> {
        let mut first: Option<SftpError> = None;
        while !self.in_flight.is_empty() {
            if let Err(error) = self.await_one() {
                let lost = error.kind == SftpErrorKind::Lost;
                first.get_or_insert(error);
                if lost {
                    break;
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn await_one(&mut self) -> Result<()> {
        let Some(id) = self.in_flight.pop_front() else { return Ok(()) };
        let op = Op("write", &self.path);
        let reply = self.session.receive(op, id)?;
        op.status(reply)
    }
}

impl Drop for SftpFile<'_> {
    /// A file is dropped without `close` only after an error. Frees its handle and reads its
    /// pending answers, so that the session stays usable.
    fn drop(&mut self) {
        let _ = self.await_all();
        if !self.handle.is_empty() {
            let _ = self.session.close(Op("close", &self.path), &self.handle);
        }
    }
}
