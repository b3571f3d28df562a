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

/// Says, while it has the id of the history, that the deploy that wrote it has not heard yet that
/// it was published.
const UNFINISHED: &str = "history.unfinished";

/// Names what is kept of a damaged history, with its id.
const DAMAGED: &str = "history.damaged";

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

/// Whether the deploy that wrote the history in a work directory did not hear that it was
/// published.
pub fn is_unfinished(work: BorrowedFd<'_>) -> io::Result<bool> {
    let mut marked = Vec::new();
    match open_file(work, UNFINISHED.as_bytes()) {
        Ok(file) => file.take(READ_BYTES as u64).read_to_end(&mut marked)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let history = HistoryReader::open(work)?;
    Ok(history.map(|history| history.id()).transpose()?.is_some_and(|id| marked == id.0))
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
        finish(work);
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
    /// The old one, if the end of it is not kept: it is damaged.
    damaged: Option<HistoryReader>,
}

impl HistoryWriter {
    /// Starts a history with the first `keep` bytes of the old one; `None` if the old one has
    /// fewer.
    pub fn begin(work: &WorkDir, keep: u64) -> io::Result<Option<HistoryWriter>> {
        let old = HistoryReader::open(work.dir())?;
        if keep > old.as_ref().map_or(0, |old| old.bytes) {
            return Ok(None);
        }
        let file = create_file(work.dir(), NEW_NAME)?;
        let mut new = HistoryWriter { file, bytes: keep, damaged: None };
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
        drop(pieces);
        new.damaged = old.filter(|old| keep < old.bytes);
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

    /// Makes it durable, and all that goes with it. Returns a text for the user.
    pub fn prepare(&self, work: &WorkDir) -> io::Result<Option<String>> {
        assetsync_tree::sync(&self.file)?;
        mark(work)?;
        self.damaged.as_ref().map(|old| keep_damaged(work, old)).transpose()
    }

    /// Replaces the old one. If that fails, the old one stays.
    pub fn publish(self, work: &WorkDir) -> io::Result<PublishedHistory> {
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

/// The deploy has heard that it is published, or taken back. If this fails, a rollback would
/// complete it once more.
pub fn finish(work: &WorkDir) {
    let _ = unlinkat(work.dir(), UNFINISHED, AtFlags::empty());
}

/// Marks the new history as that of a deploy that is not finished.
fn mark(work: &WorkDir) -> io::Result<()> {
    let file = open_file(work.dir(), NEW_NAME.as_bytes())?;
    let bytes = file.metadata()?.len();
    let id = HistoryReader { file, bytes }.id()?;
    let mut marker = create_file(work.dir(), UNFINISHED)?;
    marker.write_all(&id.0)?;
    assetsync_tree::sync(&marker)
}

/// Keeps a damaged history under another name. Returns a text for the user.
fn keep_damaged(work: &WorkDir, old: &HistoryReader) -> io::Result<String> {
    let id: String = old.id()?.0.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{DAMAGED}-{id}");
    let mut kept = create_file(work.dir(), &name)?;
    io::copy(&mut old.pieces(), &mut kept)?;
    assetsync_tree::sync(&kept)?;
    let path = |name: &str| assetsync_core::text::path(&work.path().join(name));
    let (history, kept) = (path(NAME), path(&name));
    Ok(format!(
        "The history of deploys {history} is damaged: its last deploys are unknown, and their files stay; the damaged file is kept as {kept}"
    ))
}
