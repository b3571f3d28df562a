//! Syncing, and telling a sync that failed from other errors.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use rustix::fs;
use rustix::io::Errno;

/// A sync that failed. The system reports a failed write to disk once, and then takes the pages in
/// memory for written: another sync succeeds, and reading finds what the disk does not have.
#[derive(Debug, thiserror::Error)]
#[error("can't sync it to disk: {0}")]
struct SyncFailed(io::Error);

/// Whether an error is of a sync.
pub fn is_failed_sync(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<SyncFailed>())
}

/// The number of syncs under way in this process.
static SYNCS: AtomicU32 = AtomicU32::new(0);

/// Whether a sync is under way: it may take long, and uses no processor time of this process.
pub fn is_syncing() -> bool {
    SYNCS.load(Ordering::Relaxed) > 0
}

fn counted(sync: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    SYNCS.fetch_add(1, Ordering::Relaxed);
    let synced = sync();
    SYNCS.fetch_sub(1, Ordering::Relaxed);
    synced
}

fn failed(error: Errno) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), SyncFailed(error))
}

/// Makes an open file or directory durable, where the file system can do that.
pub fn sync(file: impl AsFd) -> io::Result<()> {
    match counted(|| fs::fsync(file)) {
        Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => Ok(()),
        synced => synced.map_err(failed),
    }
}

/// Asks the system to begin writing a file to disk, so that a later sync finds less to do. It
/// promises nothing: of a write that fails, that sync says so.
#[cfg(target_os = "linux")]
pub fn begin_write_back(file: impl AsFd) {
    // Linux begins to write what is dirty, and drops from memory only what is clean.
    let _ = fs::fadvise(file, 0, None, fs::Advice::DontNeed);
}

/// This system writes when it likes.
#[cfg(not(target_os = "linux"))]
pub fn begin_write_back(_file: impl AsFd) {}

/// Syncs a file system in the background once much was written to it, so that a later sync finds
/// less to do. It promises nothing, either.
#[derive(Debug, Default)]
pub struct BackgroundSync {
    /// Bytes written since the last one was begun.
    bytes: u64,
    under_way: Option<JoinHandle<()>>,
}

impl BackgroundSync {
    /// After so many bytes it pays: each sync also commits the file system's journal.
    const BYTES: u64 = 16 << 20;

    /// So many bytes were written to the file system of the directory.
    pub fn wrote(&mut self, bytes: u64, dir: impl AsFd) {
        self.bytes += bytes;
        let is_due = self.bytes >= Self::BYTES;
        if is_due && self.under_way.as_ref().is_none_or(JoinHandle::is_finished) {
            self.bytes = 0;
            self.under_way = begin_sync(dir);
        }
    }
}

#[cfg(target_os = "linux")]
fn begin_sync(dir: impl AsFd) -> Option<JoinHandle<()>> {
    const STACK_BYTES: usize = 64 * 1024;
    // Opened anew: a write that fails is reported once for each time a file was opened, so the
    // later sync hears of it, too.
    let flags = fs::OFlags::RDONLY | fs::OFlags::DIRECTORY | fs::OFlags::CLOEXEC;
    let dir = fs::openat(dir, ".", flags, fs::Mode::empty()).ok()?;
    let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
    builder.spawn(move || counted(|| fs::syncfs(dir)).unwrap_or_default()).ok()
}

/// This system writes when it likes.
#[cfg(not(target_os = "linux"))]
fn begin_sync(_dir: impl AsFd) -> Option<JoinHandle<()>> {
    None
}

/// Makes everything written to the file system of `file` durable.
#[cfg(target_os = "linux")]
pub fn sync_file_system(file: impl AsFd) -> io::Result<()> {
    counted(|| fs::syncfs(file)).map_err(failed)
}

/// Makes the file itself durable: this system has no `syncfs`.
#[cfg(not(target_os = "linux"))]
pub fn sync_file_system(file: impl AsFd) -> io::Result<()> {
    counted(|| fs::fsync(file)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn write_back_changes_no_content_and_closes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&[7; 100_000]).unwrap();
        begin_write_back(&file);
        file.write_all(b"more").unwrap();
        sync(&file).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [&[7; 100_000][..], b"more"].concat());
    }

    #[test]
    fn a_background_sync_begins_once_much_was_written_and_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(dir.path()).unwrap();
        let mut sync = BackgroundSync::default();
        sync.wrote(BackgroundSync::BYTES - 1, &dir);
        assert!(sync.under_way.is_none());
        sync.wrote(1, &dir);
        assert_eq!((sync.bytes, sync.under_way.is_some()), (0, cfg!(target_os = "linux")));
        let (begin, end) = std::sync::mpsc::channel::<()>();
        sync.under_way = Some(std::thread::spawn(move || end.recv().unwrap_or_default()));
        sync.wrote(2 * BackgroundSync::BYTES, &dir);
        assert_eq!(sync.bytes, 2 * BackgroundSync::BYTES);
        drop(begin);
    }
}
