//! The history of deploys in the work directory. For the agent it is only bytes.
//!
//! A new one is written beside the old one while it is received, and renamed over it: after a crash
//! either the old or the new one is complete.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use assetsync_core::digest::Digest;
use assetsync_core::limits;
use assetsync_core::state::HistoryId;
use assetsync_tree::open_file;
use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat};

use crate::work::sharing::{create_file, replace};
use crate::work::work_dir::WorkDir;

/// The file's name in the work directory.
pub const NAME: &str = "history";

/// Its name while it is written.
const NEW_NAME: &str = "history.new";

/// The old one's name while it may have to be put back, where the two can't be exchanged.
const OLD_NAME: &str = "history.old";

/// How much is read at a time, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The existing history.
#[derive(Debug)]
pub struct HistoryReader {
    file: File,
    bytes: u64,
}

impl HistoryReader {
    /// Opens the history in a work directory, if there is one. A symlink is not followed, and a
    /// history over the limit is refused.
    pub fn open(work: BorrowedFd<'_>) -> io::Result<Option<HistoryReader>> {
        let file = match open_file(work, NAME.as_bytes()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = file.metadata()?.len();
        if bytes > limits::HISTORY_BYTES {
            let text = format!("it has {bytes} bytes, the limit is {}", limits::HISTORY_BYTES);
            return Err(io::Error::other(format!("{text}; move it away to begin a new history")));
        }
        Ok(Some(HistoryReader { file, bytes }))
    }

    /// Its id.
    pub fn id(&self) -> io::Result<HistoryId> {
        let mut buffer = vec![0; READ_BYTES];
        let (digest, _) = Digest::of_reader(self.pieces(), &mut buffer)?;
        Ok(HistoryId(digest.short().0))
    }

    /// Its bytes from the beginning, at most as many as there were when it was opened.
    pub fn pieces(&self) -> impl Read {
        Pieces { file: &self.file, at: 0, end: self.bytes }
    }
}

/// Reads a file without moving its position.
struct Pieces<'f> {
    file: &'f File,
    at: u64,
    end: u64,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let most = (self.end - self.at).min(buffer.len() as u64) as usize;
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A history that replaced the old one.
#[derive(Debug)]
pub struct PublishedHistory(OldHistory);

/// Where the old history is.
#[derive(Debug)]
enum OldHistory {
    /// It has this name in the work directory.
    Kept(&'static str),
    /// There was none.
    Absent,
    /// It is lost: the file system has neither exchange nor hard links.
    Lost,
}

impl PublishedHistory {
    /// Puts the old one back.
    pub fn take_back(self, work: &WorkDir) -> io::Result<()> {
        match self.0 {
            OldHistory::Kept(name) => renameat(work.dir(), name, work.dir(), NAME)?,
            OldHistory::Absent => unlinkat(work.dir(), NAME, AtFlags::empty())?,
            OldHistory::Lost => return Err(io::ErrorKind::Unsupported.into()),
        }
        assetsync_tree::sync(work.dir())
    }

    /// Removes the old one: the deploy is live.
    pub fn confirm(self, work: &WorkDir) -> io::Result<()> {
        match self.0 {
            OldHistory::Kept(name) => Ok(unlinkat(work.dir(), name, AtFlags::empty())?),
            OldHistory::Absent | OldHistory::Lost => Ok(()),
        }
    }
}

/// A history that is being received.
#[derive(Debug)]
pub struct HistoryWriter {
    file: File,
    bytes: u64,
}

impl HistoryWriter {
    /// Starts a history with the first `keep` bytes of the old one; `None` if the old one has
    /// fewer.
    pub fn begin(work: &WorkDir, keep: u64) -> io::Result<Option<HistoryWriter>> {
        let old = HistoryReader::open(work.dir())?;
        if keep > old.as_ref().map_or(0, |old| old.bytes) {
            return Ok(None);
        }
        let mut new = HistoryWriter { file: create_file(work.dir(), NEW_NAME)?, bytes: keep };
        let mut left = keep;
        let mut buffer = vec![0; READ_BYTES];
        let mut pieces = old.as_ref().map(HistoryReader::pieces);
        while let (1.., Some(pieces)) = (left, &mut pieces) {
            let most = left.min(buffer.len() as u64) as usize;
            match pieces.read(&mut buffer[..most]) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    new.file.write_all(&buffer[..count])?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(new))
    }

    /// Appends a chunk; `false` if the history would grow over the limit.
    pub fn append(&mut self, piece: &[u8]) -> io::Result<bool> {
        self.bytes += piece.len() as u64;
        if self.bytes > limits::HISTORY_BYTES {
            return Ok(false);
        }
        self.file.write_all(piece)?;
        Ok(true)
    }

    /// Makes it durable and replaces the old one. If that fails, the old one stays.
    pub fn publish(self, work: &WorkDir) -> io::Result<PublishedHistory> {
        assetsync_tree::sync(&self.file)?;
        let dir = work.dir();
        let old = match renameat_with(dir, NEW_NAME, dir, NAME, RenameFlags::EXCHANGE) {
            Ok(()) => OldHistory::Kept(NEW_NAME),
            Err(error) => {
                let _ = unlinkat(dir, OLD_NAME, AtFlags::empty());
                let kept = linkat(dir, NAME, dir, OLD_NAME, AtFlags::empty());
                replace(dir, NEW_NAME, NAME)?;
                match kept {
                    Ok(()) => OldHistory::Kept(OLD_NAME),
                    Err(_) if error == rustix::io::Errno::NOENT => OldHistory::Absent,
                    Err(_) => OldHistory::Lost,
                }
            }
        };
        let published = PublishedHistory(old);
        match assetsync_tree::sync(dir) {
            Ok(()) => Ok(published),
            Err(error) => {
                let _ = published.take_back(work);
                Err(error)
            }
        }
    }
}
