//! Writes a tree to disk.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::value::{Entry, Tree};
use crate::error::{ErrorContext, Result};

impl Tree {
    /// Writes the tree below `dir`, which is made if it is not there and should be empty if it is.
    pub fn write_to(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir).doing("make", dir)?;
        for (path, entry) in self.iter() {
            write_entry(&dir.join(OsStr::from_bytes(path)), entry)?;
        }
        // A directory's own mode may forbid to write into it, so it comes after its contents.
        for (path, entry) in self.iter().rev() {
            if let Entry::Dir { mode } = entry {
                set_mode(&dir.join(OsStr::from_bytes(path)), *mode)?;
            }
        }
        Ok(())
    }
}

fn write_entry(path: &Path, entry: &Entry) -> Result<()> {
    match entry {
        Entry::Dir { .. } => fs::create_dir(path).doing("make", path),
        Entry::Symlink { target } => symlink(OsStr::from_bytes(target), path).doing("make", path),
        Entry::File { bytes, mode, mtime } => {
            fs::write(path, bytes).doing("write", path)?;
            set_mtime(path, *mtime)?;
            set_mode(path, *mode)
        }
    }
}

fn set_mtime(path: &Path, (seconds, nanoseconds): (i64, u32)) -> Result<()> {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
    let file = File::options().write(true).open(path).doing("open", path)?;
    file.set_times(FileTimes::new().set_modified(time)).doing("date", path)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).doing("chmod", path)
}
