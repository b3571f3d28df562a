//! The lock of a work directory: one push at a time.
//!
//! The system releases it when the process ends, however it does. A file system without locks has
//! an exclusive file instead, which counts as long as its holder touches it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use assetsync_core::text;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::error::WorkDirError;
use super::sharing::{create_file, give};

const NAME: &str = "lock";
const LEASE: &str = "lock.held";

/// A lease that was not renewed for this long is over.
const LEASE_SECS: i64 = 120;

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(20);

/// What a user is told where there are no locks.
pub const NO_LOCKS: &str = "The file system of the destination has no locks: a file takes their \
    place, and after a push that was killed the next one has to wait two minutes";

/// A lock, released when it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// In place of a lock of the system.
    pub lease: Option<Lease>,
}

/// Takes the lock of the work directory open as `dir`.
pub fn lock(dir: BorrowedFd<'_>, path: &Path) -> Result<Lock, WorkDirError> {
    let failed = |source: io::Error| WorkDirError::Io { path: path.into(), source };
    let mut file = open(dir).map_err(failed)?;
    let lease = match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => None,
        Err(Errno::WOULDBLOCK) => {
            return Err(WorkDirError::Locked { holder: holder(&file) });
        }
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            let lease = Lease::take(dir).map_err(failed)?;
            Some(lease.ok_or_else(|| WorkDirError::Locked { holder: holder(&file) })?)
        }
        Err(error) => return Err(failed(error.into())),
    };
    // Only information; another user's lock may not be writable.
    let _ = file.set_len(0).and_then(|()| write!(file, "process {}", std::process::id()));
    Ok(Lock { _file: file, lease })
}

/// Opens the lock file. Whoever else may use the directory may have put anything there.
fn open(dir: BorrowedFd<'_>) -> io::Result<File> {
    let like = fs::fstat(dir)?;
    let mode = Mode::from_raw_mode(like.st_mode & 0o666);
    let flags = OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match fs::openat(dir, NAME, flags | OFlags::RDWR, mode) {
        Err(Errno::ACCESS) => fs::openat(dir, NAME, flags | OFlags::RDONLY, mode),
        opened => opened,
    };
    let file = File::from(opened?);
    let meta = file.metadata()?;
    if !meta.is_file() || meta.nlink() > 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "its lock is no file of its own"));
    }
    if rustix::process::geteuid().is_root() && meta.uid() == 0 && like.st_uid != 0 {
        give(file.as_fd(), &like)?;
    }
    Ok(file)
}

fn holder(file: &File) -> String {
    use std::os::unix::fs::FileExt;
    let mut bytes = [0; 64];
    let count = file.read_at(&mut bytes, 0).unwrap_or(0);
    let since = file.metadata().map(|meta| meta.mtime()).unwrap_or_default();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.map_or(0, |now| now.as_secs() as i64 - since).max(0);
    format!("{}, started {age} s ago", text::line(&bytes[..count]))
}

/// An exclusive file that is touched while its holder lives.
#[derive(Debug)]
pub struct Lease {
    dir: OwnedFd,
    renewal: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Lease {
    /// Takes the lease; `None` if another push has it.
    fn take(dir: BorrowedFd<'_>) -> io::Result<Option<Lease>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let file = match fs::openat(dir, LEASE, flags, mode) {
            Err(Errno::EXIST) if remove_ended(dir)? => fs::openat(dir, LEASE, flags, mode),
            opened => opened,
        };
        match file {
            Ok(file) => {
                Ok(Some(Lease { dir: dir.try_clone_to_owned()?, renewal: Some(renew(file)) }))
            }
            Err(Errno::EXIST) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.renewal.take() {
            drop(stop);
            let _ = thread.join();
        }
        let _ = fs::unlinkat(&self.dir, LEASE, AtFlags::empty());
    }
}

/// Touches the lease until the sender is dropped.
fn renew(file: OwnedFd) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = channel();
    let now = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW as _ };
    let times = Timestamps { last_access: now, last_modification: now };
    let thread = std::thread::spawn(move || {
        while stopped.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
            let _ = fs::futimens(&file, &times);
        }
    });
    (stop, thread)
}

/// Removes a lease that is over, by the file system's own clock; `false` if it is not over.
fn remove_ended(dir: BorrowedFd<'_>) -> io::Result<bool> {
    let age = |at: &fs::Stat, now: i64| now - at.st_mtime;
    let now = create_file(dir, "clock")?.metadata()?.mtime();
    let found = fs::statat(dir, LEASE, AtFlags::SYMLINK_NOFOLLOW)?;
    if age(&found, now) < LEASE_SECS {
        return Ok(false);
    }
    // Moved first: another push may have taken the place of the one that is over.
    let ended = format!("{LEASE}.{}", std::process::id());
    fs::renameat(dir, LEASE, dir, &ended)?;
    let moved = fs::statat(dir, &ended, AtFlags::SYMLINK_NOFOLLOW)?;
    if (moved.st_ino, moved.st_mtime) != (found.st_ino, found.st_mtime) {
        fs::renameat(dir, &ended, dir, LEASE)?;
        return Ok(false);
    }
    fs::unlinkat(dir, &ended, AtFlags::empty())?;
    Ok(true)
}
