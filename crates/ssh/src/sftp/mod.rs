//! Files over SFTP, for hosts that can't run an agent.
//!
//! A small client of version 3 over any channel, so it also works for hosts behind a ProxyJump. It
//! keeps many writes in flight, and has OpenSSH's `posix-rename`, which libssh2's binding lacks:
//! the only rename of version 3 that replaces a file atomically.

mod error;
mod file;
mod wire;

use std::collections::BTreeSet;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::time::Duration;

use assetsync_core::text;
pub use error::{SftpError, SftpErrorKind, SftpOpenError};
pub use file::SftpFile;
pub use wire::Attributes;
use wire::{Fields, Packet, kind};

use crate::channel::{Channel, CommandHandle, Exit};
use crate::connect::{Connected, connect_sftp};
use crate::error::{TransportError, excerpt};
use crate::options::{Prompt, SshOptions};
use crate::target::RemoteTarget;
use crate::timed::{TimedReader, TimedWriter};

/// Without a byte for this long, the server counts as lost.
const IDLE: Duration = Duration::from_secs(60);
/// OpenSSH's own limit for a message.
const PACKET_LIMIT: u32 = 256 * 1024;
/// Maximum number of names in one directory.
const NAMES_LIMIT: usize = 4_000_000;
const VERSION: u32 = 3;
const END_OF_FILE: u32 = 1;
const POSIX_RENAME: &str = "posix-rename@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const FSYNC: &str = "fsync@openssh.com";

type Result<T> = std::result::Result<T, SftpError>;

/// An open SFTP session.
#[derive(Debug)]
pub struct SftpSession {
    reader: BufReader<TimedReader>,
    writer: TimedWriter,
    end: CommandHandle,
    extensions: BTreeSet<String>,
    last_id: u32,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name as the server sent it: a hint, not to be trusted as a path.
    pub name: Vec<u8>,
    /// Its attributes; of a symbolic link, the link's own.
    pub attributes: Attributes,
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

/// A packet's type, and its body after the request id.
type Reply = (u8, Vec<u8>);

impl SftpSession {
    /// Speaks SFTP over a channel to a server's SFTP subsystem.
    pub fn over(channel: Channel) -> std::result::Result<Self, SftpOpenError> {
        let Channel { reader, writer, end } = channel;
        let failed = |source| TransportError::Io { host: end.host().to_owned(), source };
        let reader = BufReader::new(TimedReader::new(reader, IDLE).map_err(failed)?);
        let writer = TimedWriter::new(writer, IDLE).map_err(failed)?;
        let mut session = Self { reader, writer, end, extensions: BTreeSet::new(), last_id: 0 };
        match session.negotiate_version() {
            Ok(()) => Ok(session),
            Err(error) => Err(session.refused(&error)),
        }
    }

    /// The absolute form of a path; an empty one is the login directory.
    pub fn realpath(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        self.single_name("resolve", kind::REALPATH, path)
    }

    /// Attributes at a path; symbolic links are followed.
    pub fn stat(&mut self, path: &[u8]) -> Result<Attributes> {
        self.attributes("stat", kind::STAT, path)
    }

    /// Attributes at a path; of a symbolic link, the link's own.
    pub fn lstat(&mut self, path: &[u8]) -> Result<Attributes> {
        self.attributes("stat", kind::LSTAT, path)
    }

    /// All names of a directory but `.` and `..`.
    pub fn read_dir(&mut self, path: &[u8]) -> Result<Vec<DirectoryEntry>> {
        let op = Op("list", path);
        let handle = self.handle(op, |id| Packet::new(kind::OPENDIR).u32(id).string(path))?;
        let mut entries = Vec::new();
        while self.read_names(op, &handle, &mut entries)? {
            if entries.len() > NAMES_LIMIT {
                return Err(op.error(SftpErrorKind::Failure, "the directory has too many names"));
            }
        }
        self.close(op, &handle)?;
        Ok(entries)
    }

    /// Sets permission bits, modification time, or both; symbolic links are followed.
    pub fn set_attributes(
        &mut self,
        path: &[u8],
        mode: Option<u32>,
        mtime: Option<u32>,
    ) -> Result<()> {
        let packet = |id| Packet::new(kind::SETSTAT).u32(id).string(path).attributes(mode, mtime);
        self.done(Op("set attributes of", path), packet)
    }

    /// Makes a directory.
    pub fn mkdir(&mut self, path: &[u8], mode: u32) -> Result<()> {
        let packet =
            |id| Packet::new(kind::MKDIR).u32(id).string(path).attributes(Some(mode), None);
        self.done(Op("make directory", path), packet)
    }

    /// Removes an empty directory.
    pub fn rmdir(&mut self, path: &[u8]) -> Result<()> {
        let packet = |id| Packet::new(kind::RMDIR).u32(id).string(path);
        self.done(Op("remove directory", path), packet)
    }

    /// Removes a file or a link.
    pub fn remove(&mut self, path: &[u8]) -> Result<()> {
        let packet = |id| Packet::new(kind::REMOVE).u32(id).string(path);
        self.done(Op("remove", path), packet)
    }

    /// Makes a symbolic link at `path` with the text `target`.
    pub fn symlink(&mut self, target: &[u8], path: &[u8]) -> Result<()> {
        // OpenSSH, and thus every server, expects the two in the opposite order of the draft.
        let packet = |id| Packet::new(kind::SYMLINK).u32(id).string(target).string(path);
        self.done(Op("link", path), packet)
    }

    /// The target of a symbolic link.
    pub fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        self.single_name("read link", kind::READLINK, path)
    }

    /// Renames, and atomically replaces `to` if it exists. A server that can't do that returns
    /// [`SftpErrorKind::TargetExists`] then.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<()> {
        let op = Op("rename", from);
        if self.has(POSIX_RENAME) {
            return self.done(op, |id| {
                let packet = Packet::new(kind::EXTENDED).u32(id).string(POSIX_RENAME.as_bytes());
                packet.string(from).string(to)
            });
        }
        let plain = |id| Packet::new(kind::RENAME).u32(id).string(from).string(to);
        let refused = match self.done(op, plain) {
            Err(error) if error.kind == SftpErrorKind::Failure => error,
            done => return done,
        };
        match self.lstat(to) {
            Ok(_) => Err(Op("rename onto", to).error(
                SftpErrorKind::TargetExists,
                "the target exists and the server has no posix-rename",
            )),
            Err(_) => Err(refused),
        }
    }

    /// Whether [`SftpSession::rename`] replaces atomically on this server.
    pub fn renames_atomically(&self) -> bool {
        self.has(POSIX_RENAME)
    }

    /// Free space of a file system; none if the server does not report it, or an impossible value.
    pub fn free_space(&mut self, path: &[u8]) -> Result<Option<FreeSpace>> {
        if !self.has(STATVFS) {
            return Ok(None);
        }
        let op = Op("measure", path);
        let reply = self.ask(op, |id| {
            Packet::new(kind::EXTENDED).u32(id).string(STATVFS.as_bytes()).string(path)
        })?;
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

    fn has(&self, extension: &str) -> bool {
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

    fn send(&mut self, op: Op<'_>, packet: impl FnOnce(u32) -> Packet) -> Result<u32> {
        self.last_id = self.last_id.wrapping_add(1);
        let bytes = packet(self.last_id).into_bytes();
        self.writer.write_all(&bytes).map_err(|e| op.lost(&e))?;
        Ok(self.last_id)
    }

    /// The next reply; replies come in order, so its id must be the expected one.
    fn receive(&mut self, op: Op<'_>, id: u32) -> Result<Reply> {
        let packet = self.read_packet().map_err(|e| op.lost(&e))?;
        let mut fields = Fields(&packet[1..]);
        match fields.u32() {
            Some(received) if received == id => Ok((packet[0], fields.0.to_vec())),
            _ => Err(op.broken()),
        }
    }

    fn ask(&mut self, op: Op<'_>, packet: impl FnOnce(u32) -> Packet) -> Result<Reply> {
        let id = self.send(op, packet)?;
        self.receive(op, id)
    }

    fn done(&mut self, op: Op<'_>, packet: impl FnOnce(u32) -> Packet) -> Result<()> {
        let reply = self.ask(op, packet)?;
        op.status(reply)
    }

    fn handle(&mut self, op: Op<'_>, packet: impl FnOnce(u32) -> Packet) -> Result<Vec<u8>> {
        let reply = self.ask(op, packet)?;
        let body = op.expect(reply, kind::HANDLE)?;
        Fields(&body).string().map(<[u8]>::to_vec).ok_or_else(|| op.broken())
    }

    fn close(&mut self, op: Op<'_>, handle: &[u8]) -> Result<()> {
        self.done(op, |id| Packet::new(kind::CLOSE).u32(id).string(handle))
    }

    fn attributes(&mut self, verb: &'static str, kind: u8, path: &[u8]) -> Result<Attributes> {
        let op = Op(verb, path);
        let reply = self.ask(op, |id| Packet::new(kind).u32(id).string(path))?;
        let body = op.expect(reply, kind::ATTRS)?;
        Fields(&body).attributes().ok_or_else(|| op.broken())
    }

    fn single_name(&mut self, verb: &'static str, kind: u8, path: &[u8]) -> Result<Vec<u8>> {
        let op = Op(verb, path);
        let reply = self.ask(op, |id| Packet::new(kind).u32(id).string(path))?;
        let body = op.expect(reply, kind::NAME)?;
        let mut fields = Fields(&body);
        match (fields.u32(), fields.string()) {
            (Some(1..), Some(name)) => Ok(name.to_vec()),
            _ => Err(op.broken()),
        }
    }

    /// Reads some more names; false at the end.
    fn read_names(
        &mut self,
        op: Op<'_>,
        handle: &[u8],
        entries: &mut Vec<DirectoryEntry>,
    ) -> Result<bool> {
        let reply = self.ask(op, |id| Packet::new(kind::READDIR).u32(id).string(handle))?;
        if is_end_of_file(&reply) {
            return Ok(false);
        }
        let body = op.expect(reply, kind::NAME)?;
        let mut fields = Fields(&body);
        for _ in 0..fields.u32().ok_or_else(|| op.broken())? {
            let entry = entry(&mut fields).ok_or_else(|| op.broken())?;
            if entry.name != b"." && entry.name != b".." {
                entries.push(entry);
            }
        }
        Ok(true)
    }
}

fn entry(fields: &mut Fields<'_>) -> Option<DirectoryEntry> {
    let name = fields.string()?.to_vec();
    let _long_form = fields.string()?;
    Some(DirectoryEntry { name, attributes: fields.attributes()? })
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

fn is_end_of_file((kind, body): &Reply) -> bool {
    *kind == kind::STATUS && Fields(body).u32() == Some(END_OF_FILE)
}

/// An operation and its path, for errors.
#[derive(Clone, Copy)]
struct Op<'a>(&'static str, &'a [u8]);

impl Op<'_> {
    fn error(self, kind: SftpErrorKind, detail: impl Into<String>) -> SftpError {
        SftpError { kind, operation: self.0, path: text::name(self.1), detail: detail.into() }
    }

    fn broken(self) -> SftpError {
        self.error(SftpErrorKind::Protocol, "the server broke the protocol")
    }

    fn lost(self, error: &io::Error) -> SftpError {
        match error.kind() {
            ErrorKind::TimedOut => {
                let detail = format!("the server said nothing for {} s", IDLE.as_secs());
                self.error(SftpErrorKind::Lost, detail)
            }
            ErrorKind::Other => self.error(SftpErrorKind::Protocol, error.to_string()),
            _ => self.error(SftpErrorKind::Lost, "the connection was lost"),
        }
    }

    fn expect(self, (received, body): Reply, expected: u8) -> Result<Vec<u8>> {
        match received {
            kind if kind == expected => Ok(body),
            kind::STATUS => match self.status((received, body)) {
                Ok(()) => Err(self.broken()),
                Err(error) => Err(error),
            },
            _ => Err(self.broken()),
        }
    }

    fn status(self, (kind, body): Reply) -> Result<()> {
        let mut fields = Fields(&body);
        match (kind, fields.u32()) {
            (kind::STATUS, Some(0)) => Ok(()),
            (kind::STATUS, Some(code)) => {
                let said = excerpt(fields.string().unwrap_or_default());
                Err(self.error(SftpErrorKind::of_status(code), said))
            }
            _ => Err(self.broken()),
        }
    }
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
