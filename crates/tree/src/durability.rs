//! Syncing, and telling a sync that failed from other errors.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering};

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
