//! Uploads files, many at a time.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;

use super::reply::{Op, Reply};
use super::session::{FSYNC, open_packet};
use super::window::WINDOW;
use super::wire::{Packet, kind};
use super::{Result, SftpError, SftpSession};

/// Every server accepts this much in one request.
const CHUNK: usize = 32 * 1024;
/// Bytes of content under way: 2 MiB hide 50 ms at 40 MB/s.
const BYTES_UNDER_WAY: usize = 2 << 20;

/// A file to upload.
#[derive(Debug)]
pub struct Upload<R> {
    /// Its path.
    pub path: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Its modification time in seconds since 1970.
    pub mtime: u32,
    /// Whether it must not exist; else it is truncated.
    pub exclusive: bool,
    /// Its content, read as it is sent. An error ends it; the reader knows of it.
    pub content: R,
}

/// A file that was uploaded.
#[derive(Debug)]
pub struct Uploaded<R> {
    /// Its content, read to the end.
    pub content: R,
    /// Whether all of it was written.
    pub written: Result<()>,
    /// Whether the server made it durable.
    pub synced: bool,
}

/// Files being uploaded.
struct Uploader<R> {
    /// In the order in which they were opened.
    sending: BTreeMap<usize, Sending<R>>,
    waiting: BTreeMap<u32, (usize, Step)>,
    /// Files that are open and not read to the end.
    unread: VecDeque<usize>,
    bytes_under_way: usize,
    failed: bool,
    buffer: Vec<u8>,
}

/// A file being uploaded.
struct Sending<R> {
    file: Upload<R>,
    /// Empty until it is open.
    handle: Vec<u8>,
    offset: u64,
    /// Requests without a reply.
    under_way: usize,
    phase: FilePhase,
    error: Option<SftpError>,
    synced: bool,
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FilePhase {
    /// Its content is not sent to the end.
    Reading,
    /// It waits for replies to its writes: a server may not keep the order of what is done with one
    /// file, and clients that wait are what it knows.
    Writing,
    /// It is being closed.
    Closing,
}

/// What a reply is to.
#[derive(Clone, Copy)]
enum Step {
    Open,
    Write(usize),
    Attributes,
    Sync,
    Close,
}

impl SftpSession {
    /// Creates and writes files, sets their modes and times, and syncs them if the server can. Each
    /// is given to `done` when it is closed. A server may refuse to set modes and times: that is no
    /// error, and shows when the files are listed. After an error no more files are taken; the call
    /// fails only if the session does.
    pub fn upload_all<R: Read>(
        &mut self,
        files: impl Iterator<Item = Upload<R>>,
        done: impl FnMut(Uploaded<R>),
    ) -> Result<()> {
        let uploader = Uploader {
            sending: BTreeMap::new(),
            waiting: BTreeMap::new(),
            unread: VecDeque::new(),
            bytes_under_way: 0,
            failed: false,
            buffer: vec![0; CHUNK],
        };
        uploader.run(self, files.enumerate(), done)
    }
}

impl<R: Read> Uploader<R> {
    fn run(
        mut self,
        session: &mut SftpSession,
        mut files: impl Iterator<Item = (usize, Upload<R>)>,
        mut done: impl FnMut(Uploaded<R>),
    ) -> Result<()> {
        loop {
            while self.bytes_under_way < BYTES_UNDER_WAY {
                if let Some(&number) = self.unread.front() {
                    self.write(session, number)?;
                } else if self.sending.len() < WINDOW
                    && !self.failed
                    && let Some((number, file)) = files.next()
                {
                    self.open(session, number, file)?;
                } else {
                    break;
                }
            }
            let Some((_, &(number, _))) = self.waiting.first_key_value() else { return Ok(()) };
            let path = self.sending.get(&number).map(|sending| sending.file.path.clone());
            let path = path.unwrap_or_default();
            let (id, reply) = session.receive(Op("write", &path))?;
            let waited = self.waiting.remove(&id);
            let (number, step) = waited.ok_or_else(|| Op("write", &path).broken())?;
            match self.receive(number, step, reply) {
                Some(uploaded) => done(uploaded),
                None => self.close(session, number)?,
            }
        }
    }

    fn open(&mut self, session: &mut SftpSession, number: usize, file: Upload<R>) -> Result<()> {
        let packet = open_packet(&file.path, file.mode, file.exclusive);
        let id = session.send(Op("create", &file.path), packet)?;
        self.waiting.insert(id, (number, Step::Open));
        let (handle, offset, under_way, phase) = (Vec::new(), 0, 1, FilePhase::Reading);
        let (error, synced) = (None, false);
        let sending = Sending { file, handle, offset, under_way, phase, error, synced };
        self.sending.insert(number, sending);
        Ok(())
    }

    /// Sends the next part of a file.
    fn write(&mut self, session: &mut SftpSession, number: usize) -> Result<()> {
        let Some(sending) = self.sending.get_mut(&number) else {
            self.unread.pop_front();
            return Ok(());
        };
        let op = Op("write", &sending.file.path);
        let count = match sending.error {
            None => fill(&mut sending.file.content, &mut self.buffer),
            Some(_) => 0,
        };
        if count > 0 {
            let packet = Packet::request(kind::WRITE).string(&sending.handle).u64(sending.offset);
            let id = session.send(op, packet.string(&self.buffer[..count]))?;
            self.waiting.insert(id, (number, Step::Write(count)));
            self.bytes_under_way += count;
            sending.offset += count as u64;
            sending.under_way += 1;
        }
        if count < self.buffer.len() {
            self.unread.pop_front();
            sending.phase = FilePhase::Writing;
        }
        self.close(session, number)
    }

    /// Sets mode and time of a file, syncs and closes it, if all of it is written.
    fn close(&mut self, session: &mut SftpSession, number: usize) -> Result<()> {
        let Some(sending) = self.sending.get_mut(&number) else { return Ok(()) };
        if sending.phase != FilePhase::Writing || sending.under_way > 0 {
            return Ok(());
        }
        sending.phase = FilePhase::Closing;
        let op = Op("close", &sending.file.path);
        let mut last = vec![(Step::Attributes, kind::FSETSTAT), (Step::Close, kind::CLOSE)];
        if session.has(FSYNC) {
            last.insert(1, (Step::Sync, kind::EXTENDED));
        }
        sending.under_way += last.len();
        for (step, kind) in last {
            let packet = match step {
                Step::Sync => Packet::request(kind).string(FSYNC.as_bytes()),
                _ => Packet::request(kind),
            };
            let packet = packet.string(&sending.handle);
            let packet = match step {
                Step::Attributes => {
                    packet.attributes(Some(sending.file.mode), Some(sending.file.mtime))
                }
                _ => packet,
            };
            self.waiting.insert(session.send(op, packet)?, (number, step));
        }
        Ok(())
    }

    /// Takes a reply; returns the file when it is closed.
    fn receive(&mut self, number: usize, step: Step, reply: Reply) -> Option<Uploaded<R>> {
        let sending = self.sending.get_mut(&number)?;
        sending.under_way -= 1;
        let verb = match step {
            Step::Open => "create",
            Step::Close => "close",
            _ => "write",
        };
        let op = Op(verb, &sending.file.path);
        let result = match step {
            Step::Open => op.handle(reply).map(|handle| {
                sending.handle = handle;
                self.unread.push_back(number);
            }),
            Step::Write(count) => {
                self.bytes_under_way -= count;
                op.status(reply)
            }
            Step::Attributes => Ok(()),
            Step::Sync => {
                sending.synced = op.status(reply).is_ok();
                Ok(())
            }
            Step::Close => op.status(reply),
        };
        self.failed |= result.is_err();
        sending.error = sending.error.take().or(result.err());
        // Replies may come in any order, so the one to closing need not be the last.
        let is_over = sending.phase == FilePhase::Closing || sending.handle.is_empty();
        if sending.under_way > 0 || !is_over {
            return None;
        }
        let sending = self.sending.remove(&number)?;
        let written = sending.error.map_or(Ok(()), Err);
        Some(Uploaded { content: sending.file.content, written, synced: sending.synced })
    }
}

/// Reads until the buffer is full or the content ends.
fn fill(content: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut count = 0;
    while count < buffer.len() {
        match content.read(&mut buffer[count..]) {
            Ok(more @ 1..) => count += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => break,
        }
    }
    count
}
