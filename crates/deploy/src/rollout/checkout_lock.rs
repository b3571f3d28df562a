//! One deploy at a time from a checkout: two builds would write to the same files, and each deploy
//! deletes the build at its end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use assetsync_core::text;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::error::RolloutError;
use super::pipeline::origin;
use super::retention::unix_time;
use crate::history::DeployId;

/// A name that is never pushed.
const NAME: &str = ".assetsync-lock";

/// Longest text in it that is read, in bytes.
const TEXT_BYTES: u64 = 400;

/// The lock of a checkout. The system releases it when its holder ends, however it does.
pub(super) struct CheckoutLock {
    path: PathBuf,
    _file: File,
}

impl CheckoutLock {
    /// Locks the directory of a project. `None` if nothing can be written or locked there: then
    /// there is no build to protect either.
    pub fn take(project: &Path) -> Result<Option<CheckoutLock>, RolloutError> {
        let path = project.join(NAME);
        loop {
            let Ok(mut file) = open(&path) else { return Ok(None) };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    let mut holder = Vec::new();
                    let _ = file.take(TEXT_BYTES).read_to_end(&mut holder);
                    return Err(RolloutError::CheckoutLocked { path, holder: text::line(&holder) });
                }
                Err(_) => return Ok(None),
            }
            // Its last holder may have removed it since it was opened.
            if is_at(&file, &path) {
                let since = DeployId::new(unix_time(), 0).to_string();
                let since = since.split('-').next().unwrap_or_default();
                let (user, process) = (origin().user, std::process::id());
                let text = format!("by {user}, process {process}, since {since}");
                // Only information; the file may be another user's.
                let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
                return Ok(Some(CheckoutLock { path, _file: file }));
            }
        }
    }
}

impl Drop for CheckoutLock {
    fn drop(&mut self) {
        // What stays is locked by nobody.
        let _ = fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.or_else(|_| File::open(path))
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |meta: fs::Metadata| (meta.dev(), meta.ino());
    fs::metadata(path).is_ok_and(|there| file.metadata().is_ok_and(|held| id(held) == id(there)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let first = CheckoutLock::take(dir.path()).unwrap().expect("a lock");
        let refused = CheckoutLock::take(dir.path()).map(drop).unwrap_err().to_string();
        let process = format!("process {}, since 2", std::process::id());
        assert!(refused.contains("(by ") && refused.contains(&process), "{refused}");
        drop(first);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // Left by one that was killed.
        fs::write(dir.path().join(NAME), "user x").unwrap();
        assert!(CheckoutLock::take(dir.path()).unwrap().is_some());
    }

    #[test]
    fn where_nothing_can_be_written_there_is_no_lock() {
        assert!(CheckoutLock::take(Path::new("/proc/self")).unwrap().is_none());
    }
}
