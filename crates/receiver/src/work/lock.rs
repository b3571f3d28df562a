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

use assetsync_core::protocol::{Hello, RunMember};
use assetsync_core::text;
use assetsync_core::work_names::CLOCK;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::error::WorkDirError;
use super::sharing::{create_file, give};

/// The lock's name in the work directory.
pub const NAME: &str = "lock";

/// The name of what takes its place where there are no locks.
pub const LEASE: &str = "lock.held";

/// A lease that was not renewed for this long is over.
const LEASE_SECS: i64 = 120;

/// How often a lock is tried that somebody has.
const TRIES: u32 = 5;

/// How long somebody who only looks at a lock may have it.
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Most bytes that are read about the holder of a lock.
const HOLDER_BYTES: usize = 512;

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
    /// The push of the same run that had it before.
    pub before: Option<u32>,
}

/// How often a push of a run looks for another one of the run that has the lock, but has not
/// written its number yet, and how long it waits in between.
const LOOKS: u32 = 40;
const LOOKS_FOR_FILES: u32 = 400;
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Takes the lock of the work directory open as `dir`.
///
/// Pushes of files to one directory wait for each other for a while: each may be about another
/// file.
pub fn lock(dir: BorrowedFd<'_>, path: &Path, hello: &Hello) -> Result<Lock, WorkDirError> {
    let member = hello.member;
    let failed = |source: io::Error| WorkDirError::Io { path: path.into(), source };
    let mut file = open(dir).map_err(failed)?;
    let mut looks = match member {
        _ if !hello.files.is_empty() => LOOKS_FOR_FILES,
        Some(_) => LOOKS,
        None => 0,
    };
    let lease = loop {
        match lock_again(&file, dir).map_err(failed)? {
            Attempt::Locked(lease) => break lease,
            Attempt::Held => {}
        }
        let other = member_in(&file, member);
        if other.is_some() || looks == 0 {
            return Err(WorkDirError::Locked { holder: holder(&file), member: other });
        }
        looks -= 1;
        std::thread::sleep(BETWEEN_LOOKS);
    };
    if file.metadata().map_err(failed)?.nlink() == 0 {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    let before = member_in(&file, member);
    let text = member.map(|member| format!("\nrun {member}")).unwrap_or_default();
    let who = if hello.who.is_empty() { "somebody".into() } else { text::line(&hello.who) };
    let text = format!("{who}, process {}{text}", std::process::id());
    // Only information; another user's lock may not be writable.
    let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    Ok(Lock { _file: file, lease, before })
}

/// The result of trying to lock.
enum Attempt {
    /// With a lease, if the file system has no locks.
    Locked(Option<Lease>),
    Held,
}

/// Tries to lock. Who only looks at the lock has it for a moment, so it is tried a few times.
fn lock_again(file: &File, dir: BorrowedFd<'_>) -> io::Result<Attempt> {
    for _ in 1..TRIES {
        match try_lock(file, dir)? {
            Attempt::Held => std::thread::sleep(BETWEEN_TRIES),
            locked => return Ok(locked),
        }
    }
    try_lock(file, dir)
}

fn try_lock(file: &File, dir: BorrowedFd<'_>) -> io::Result<Attempt> {
    match fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Attempt::Locked(None)),
        Err(Errno::WOULDBLOCK) => Ok(Attempt::Held),
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            Ok(Lease::take(dir)?.map_or(Attempt::Held, |lease| Attempt::Locked(Some(lease))))
        }
        Err(error) => Err(error.into()),
    }
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
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "its lock is not a regular file with one name; remove it while nothing is pushed",
        ));
    }
    if rustix::process::geteuid().is_root() && meta.uid() == 0 && like.st_uid != 0 {
        give(file.as_fd(), &like)?;
    }
    Ok(file)
}

/// Who has locked the work directory open as `dir`, if anybody has.
pub fn holder_of(dir: BorrowedFd<'_>) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(fs::openat(dir, NAME, flags, Mode::empty()).ok()?);
    let is_locked = match fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => true,
        Ok(()) => false,
        Err(_) => lease_age(dir).is_some_and(|secs| secs < LEASE_SECS),
    };
    is_locked.then(|| holder(&file))
}

/// How long ago the lease was renewed, by this machine's clock.
fn lease_age(dir: BorrowedFd<'_>) -> Option<i64> {
    let renewed = fs::statat(dir, LEASE, AtFlags::SYMLINK_NOFOLLOW).ok()?.st_mtime;
    Some(now() - renewed)
}

/// Seconds since 1970, by this machine's clock.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}

/// `95 s ago`, `12 min ago`.
fn ago(secs: i64) -> String {
    match secs.max(0) {
        secs @ ..120 => format!("{secs} s ago"),
        secs => format!("{} min ago", secs / 60),
    }
}

fn holder(file: &File) -> String {
    let text = read(file);
    let process = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let since = file.metadata().map(|meta| meta.mtime()).unwrap_or_default();
    format!("{}, started {}", text::line(process), ago(now() - since))
}

/// The number in a lock file of a push of the same run as `member`.
fn member_in(file: &File, member: Option<RunMember>) -> Option<u32> {
    let text = read(file);
    let mut lines = text.split(|&byte| byte == b'\n');
    let written = lines.find_map(|line| RunMember::parse(line.strip_prefix(b"run ")?))?;
    (Some(written.run) == member.map(|member| member.run)).then_some(written.number)
}

fn read(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; HOLDER_BYTES];
    let count = file.read_at(&mut bytes, 0).unwrap_or(0);
    bytes.truncate(count);
    bytes
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
    let now = create_file(dir, CLOCK)?.metadata()?.mtime();
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
