//! A session: requests and replies, and requests that are made one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read, Write};

use assetsync_core::text;

use super::reply::{IDLE, Op, Reply};
use super::wire::{Attributes, Fields, Packet, kind};
use super::{Change, DirectoryEntry, Result, SftpErrorKind, SftpOpenError};
use crate::channel::{Channel, CommandHandle, Exit};
use crate::connect::{Connected, connect_sftp};
use crate::error::{TransportError, excerpt};
use crate::ssh_options::{Prompt, SshOptions};
use crate::target::RemoteTarget;
use crate::timeout_io::{TimedReader, TimedWriter};

/// OpenSSH's own limit for a message.
const PACKET_LIMIT: u32 = 256 * 1024;
/// So many bytes of requests are written at once.
const UNSENT_LIMIT: usize = 64 * 1024;
const VERSION: u32 = 3;
const WRITE: u32 = 2;
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;
const EXCLUSIVE: u32 = 32;
pub(super) const POSIX_RENAME: &str = "posix-rename@openssh.com";
pub(super) const HARDLINK: &str = "hardlink@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
pub(super) const FSYNC: &str = "fsync@openssh.com";

/// An open SFTP session.
#[derive(Debug)]
pub struct SftpSession {
    reader: BufReader<TimedReader>,
    writer: TimedWriter,
    end: CommandHandle,
    extensions: BTreeSet<String>,
    last_id: u32,
    /// Requests that are not written yet.
    unsent: Vec<u8>,
    /// Requests without a reply yet.
    under_way: BTreeMap<u32, UnderWay>,
    round_trips: u64,
}

/// A request without a reply yet.
#[derive(Debug)]
struct UnderWay {
    /// How many round trips the session has taken once the reply is here.
    round_trips: u64,
    /// Whether anything depends on the reply.
    is_awaited: bool,
}

/// Free space of a remote file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes that the user may still write.
    pub bytes: u64,
    /// Files that the user may still create.
    pub files: u64,
}

/// Opens an SFTP session to the host of `target`; the text describes how, for `-v`.
pub fn sftp_session(
    target: &RemoteTarget,
    options: &SshOptions,
    prompt: &dyn Prompt,
) -> std::result::Result<(SftpSession, String), SftpOpenError> {
    let opened = connect_sftp(target, options, prompt, |connected| {
        let Connected { channel, how, .. } = connected;
        match SftpSession::over(channel) {
            Err(SftpOpenError::Transport(error)) => Err(error),
            opened => Ok(opened.map(|session| (session, how))),
        }
    });
    opened?
}

impl SftpSession {
    /// Speaks SFTP over a channel to a server's SFTP subsystem.
    pub fn over(channel: Channel) -> std::result::Result<Self, SftpOpenError> {
        let Channel { reader, writer, end } = channel;
        let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
        let reader = BufReader::new(TimedReader::new(reader, IDLE).map_err(failed)?);
        let writer = TimedWriter::new(writer, IDLE).map_err(failed)?;
        let mut session = Self {
            reader,
            writer,
            end,
            extensions: BTreeSet::new(),
            last_id: 0,
            unsent: Vec::new(),
            under_way: BTreeMap::new(),
            round_trips: 0,
        };
        match session.negotiate_version() {
            Ok(()) => Ok(session),
            Err(error) => Err(session.refused(&error)),
        }
    }

    /// How many round trips the session has taken: the longest chain of requests of which each was
    /// sent only after the reply to the one before.
    pub fn round_trips(&self) -> u64 {
        self.round_trips
    }

    /// The absolute form of a path; an empty one is the login directory.
    pub fn realpath(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        let op = Op("resolve", path);
        let reply = self.ask(op, Packet::request(kind::REALPATH).string(path))?;
        op.name(reply)
    }

    /// Attributes at a path; symbolic links are followed.
    pub fn stat(&mut self, path: &[u8]) -> Result<Attributes> {
        single(self.stat_all(&[path])?, Op("stat", path))
    }

    /// Attributes at a path; of a symbolic link, the link's own.
    pub fn lstat(&mut self, path: &[u8]) -> Result<Attributes> {
        single(self.lstat_all(&[path])?, Op("stat", path))
    }

    /// All names of a directory but `.` and `..`.
    pub fn read_dir(&mut self, path: &[u8]) -> Result<Vec<DirectoryEntry>> {
        single(self.read_dirs(&[path])?, Op("list", path))
    }

    /// Makes an empty file; an exclusive one must not exist, another one is truncated.
    pub fn create(&mut self, path: &[u8], mode: u32, exclusive: bool) -> Result<()> {
        let op = Op("create", path);
        let reply = self.ask(op, open_packet(path, mode, exclusive))?;
        let handle = op.handle(reply)?;
        self.forget(op, Packet::request(kind::CLOSE).string(&handle))
    }

    /// Makes one change; renames as [`SftpSession::rename`] says.
    pub fn change(&mut self, change: Change) -> Result<()> {
        let op = Op("change", b"");
        single(self.change_all(&[change])?, op)
    }

    /// Makes a directory.
    pub fn mkdir(&mut self, path: &[u8], mode: u32) -> Result<()> {
        self.change(Change::Mkdir { path: path.to_vec(), mode })
    }

    /// Removes an empty directory.
    pub fn rmdir(&mut self, path: &[u8]) -> Result<()> {
        self.change(Change::Rmdir { path: path.to_vec() })
    }

    /// Removes a file or a link.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        self.change(Change::Remove { path: path.to_vec() })
    }

    /// Makes a symbolic link at `path` with the text `target`.
    pub fn symlink(&mut self, target: &[u8], path: &[u8]) -> Result<()> {
        self.change(Change::Symlink { target: target.to_vec(), path: path.to_vec() })
    }

    /// Renames, and atomically replaces `to` if it exists. A server that can't do that returns
    /// [`SftpErrorKind::TargetExists`] then.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let refused = match self.change(Change::Rename { from: from.to_vec(), to: to.to_vec() }) {
            Err(error) if error.kind == SftpErrorKind::Failure => error,
            done => return done,
        };
        if self.renames_atomically() {
            return Err(refused);
        }
        match self.lstat(to) {
            Ok(_) => Err(Op("rename onto", to).error(
                SftpErrorKind::TargetExists,
                "the target exists and the server has no posix-rename",
            )),
            Err(_) => Err(refused),
        }
    }

    /// Whether renaming replaces atomically on this server.
    pub fn renames_atomically(&self) -> bool {
        self.has(POSIX_RENAME)
    }

    /// Whether files can be given second names.
    pub fn links_files(&self) -> bool {
        self.has(HARDLINK)
    }

    /// Free space of a file system; none if the server does not report it, or an impossible value.
    pub fn free_space(&mut self, path: &[u8]) -> Result<Option<FreeSpace>> {
        if !self.has(STATVFS) {
            return Ok(None);
        }
        let op = Op("measure", path);
        let packet = Packet::request(kind::EXTENDED).string(STATVFS.as_bytes()).string(path);
        let reply = self.ask(op, packet)?;
        if reply.0 == kind::STATUS {
            return Ok(None);
        }
        let body = op.expect(reply, kind::EXTENDED_REPLY)?;
        free_space(&mut Fields(&body)).ok_or_else(|| op.broken())
    }

    /// The server's standard error until now.
    pub fn stderr_so_far(&self) -> String {
        self.end.stderr_so_far()
    }

    /// Closes the session and waits for its end.
    pub fn finish(self) -> std::result::Result<Exit, TransportError> {
        let Self { reader, writer, end, .. } = self;
        drop((reader, writer));
        end.finish()
    }

    pub(super) fn has(&self, extension: &str) -> bool {
        self.extensions.contains(extension)
    }

    fn negotiate_version(&mut self) -> io::Result<()> {
        self.writer.write_all(&Packet::new(kind::INIT).u32(VERSION).into_bytes())?;
        let packet = self.read_packet()?;
        let mut fields = Fields(&packet[1..]);
        match (packet[0], fields.u32()) {
            (kind::VERSION, Some(VERSION..)) => {}
            _ => return Err(io::Error::other("it does not greet as an SFTP server")),
        }
        while let (Some(name), Some(_)) = (fields.string(), fields.string()) {
            self.extensions.insert(String::from_utf8_lossy(name).into_owned());
        }
        self.round_trips = 1;
        Ok(())
    }

    fn refused(self, error: &io::Error) -> SftpOpenError {
        let host = self.end.host().to_owned();
        let said = match self.finish() {
            Ok(exit) if exit.is_before_login() => {
                let said = excerpt(exit.stderr.as_bytes());
                return TransportError::Busy { host, said }.into();
            }
            Ok(exit) => exit.stderr.trim().to_owned(),
            Err(TransportError::RequestRefused { .. }) => "the host has no SFTP subsystem".into(),
            Err(error) => error.to_string(),
        };
        let separator = if said.is_empty() { "" } else { ": " };
        SftpOpenError::Refused { host, detail: format!("{error}{separator}{said}") }
    }

    /// Reads a packet: its type and all after it, never empty.
    fn read_packet(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length)?;
        match u32::from_be_bytes(length) {
            length @ 1..=PACKET_LIMIT => {
                let mut packet = vec![0; length as usize];
                self.reader.read_exact(&mut packet)?;
                Ok(packet)
            }
            // The output of a login shell, read as a length, is huge.
            _ => Err(io::Error::other(format!("it answers with '{}'", text::name(length)))),
        }
    }

    /// Sends a request, at the latest when a reply is waited for.
    pub(super) fn send(&mut self, op: Op<'_>, packet: Packet) -> Result<u32> {
        self.enqueue(op, packet, true)
    }

    /// Sends a request whose reply does not matter.
    pub(super) fn forget(&mut self, op: Op<'_>, packet: Packet) -> Result<()> {
        self.enqueue(op, packet, false).map(drop)
    }

    fn enqueue(&mut self, op: Op<'_>, packet: Packet, is_awaited: bool) -> Result<u32> {
        self.last_id = self.last_id.wrapping_add(1);
        self.unsent.append(&mut packet.with_id(self.last_id).into_bytes());
        let round_trips = self.round_trips + 1;
        self.under_way.insert(self.last_id, UnderWay { round_trips, is_awaited });
        if self.unsent.len() >= UNSENT_LIMIT {
            self.flush(op)?;
        }
        Ok(self.last_id)
    }

    fn flush(&mut self, op: Op<'_>) -> Result<()> {
        let written = self.writer.write_all(&self.unsent);
        self.unsent.clear();
        written.map_err(|error| op.lost(&error))
    }

    /// The next reply that anything depends on, and the id of its request. Replies need not come in
    /// order, but each must be to a request that is under way.
    pub(super) fn receive(&mut self, op: Op<'_>) -> Result<(u32, Reply)> {
        self.flush(op)?;
        loop {
            let packet = self.read_packet().map_err(|error| op.lost(&error))?;
            let mut fields = Fields(&packet[1..]);
            let id = fields.u32().ok_or_else(|| op.broken())?;
            let request = self.under_way.remove(&id).ok_or_else(|| op.broken())?;
            if request.is_awaited {
                self.round_trips = self.round_trips.max(request.round_trips);
                return Ok((id, (packet[0], fields.0.to_vec())));
            }
        }
    }

    fn ask(&mut self, op: Op<'_>, packet: Packet) -> Result<Reply> {
        let id = self.send(op, packet)?;
        match self.receive(op)? {
            (received, reply) if received == id => Ok(reply),
            _ => Err(op.broken()),
        }
    }
}

/// A request to create a file for writing.
pub(super) fn open_packet(path: &[u8], mode: u32, exclusive: bool) -> Packet {
    // Some servers know only the combinations of fopen, which truncate an exclusive file, too.
    let flags = WRITE | CREATE | TRUNCATE | if exclusive { EXCLUSIVE } else { 0 };
    Packet::request(kind::OPEN).string(path).u32(flags).attributes(Some(mode), None)
}

/// The only one of some results.
fn single<T>(results: Vec<Result<T>>, op: Op<'_>) -> Result<T> {
    results.into_iter().next().unwrap_or_else(|| Err(op.broken()))
}

/// The free space in a reply: the outer option is none if the reply is cut short, the inner one if
/// the server does not know. Servers that can't measure send zeros, or more free blocks than there
/// are.
fn free_space(fields: &mut Fields<'_>) -> Option<Option<FreeSpace>> {
    let mut values = [0; 8];
    for value in &mut values {
        *value = fields.u64()?;
    }
    let [_, fragment_bytes, blocks, _, available, _, _, files] = values;
    let is_plausible = fragment_bytes > 0 && blocks > 0 && available <= blocks;
    Some(is_plausible.then(|| FreeSpace { bytes: fragment_bytes.saturating_mul(available), files }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: [u64; 8]) -> Option<Option<FreeSpace>> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
        free_space(&mut Fields(&bytes))
    }

    #[test]
    fn room_that_no_disk_can_have_counts_as_unknown() {
        let some = FreeSpace { bytes: 4096 * 50, files: 9 };
        assert_eq!(told([4096, 4096, 100, 60, 50, 20, 10, 9]), Some(Some(some)));
        assert_eq!(told([0; 8]), Some(None));
        assert_eq!(told([4096, 4096, 0, 0, 0, 0, 0, 0]), Some(None));
        assert_eq!(told([4096, 0, 100, 60, 50, 20, 10, 9]), Some(None));
        assert_eq!(told([4096, 4096, 100, 60, u64::MAX, 20, 10, 9]), Some(None));
        assert_eq!(free_space(&mut Fields(&[0; 63])), None);
    }
}
