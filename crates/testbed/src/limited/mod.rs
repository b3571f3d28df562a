//! A file system with the limits that vfat, exFAT, CIFS and old network file systems have.

use std::path::PathBuf;

use crate::error::Result;
use crate::fuse::Fuse;

const PROGRAM: &str = include_str!("limited.py");

/// What a file system lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Setting modes fails; all files have 0777.
    ModesRefused,
    /// Setting modes does nothing; all files have 0777.
    ModesIgnored,
    /// Setting times fails.
    TimesRefused,
    /// Times are whole seconds.
    Seconds,
    /// Times are even seconds, as of FAT.
    TwoSeconds,
    /// Times after January 2038 become that.
    Until2038,
    /// Making directories durable fails.
    NoDirectorySync,
    /// Making files durable fails.
    NoFileSync,
    /// Renaming replaces nothing.
    NoReplacing,
    /// Sizes and free space are zero.
    NoStatistics,
    /// No limit: what is made gets the type of its directory's SELinux label.
    Labels,
}

/// A mounted file system with limits. Like those with the second version of FUSE's library, it
/// ignores a change of only one of the two times. Unmounted when dropped.
#[derive(Debug)]
pub struct Limited(Fuse);

impl Limited {
    /// Mounts an empty one, with FUSE and Debian's python3-fusepy.
    pub fn mount(limits: &[Limit]) -> Result<Limited> {
        let names: Vec<String> = limits.iter().map(|limit| format!("{limit:?}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Limited(Fuse::mount(PROGRAM, &names)?))
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }
}
