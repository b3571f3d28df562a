//! What a push needs to open after it has begun: the process can be limited to that.

use std::os::fd::{AsFd, BorrowedFd};

use assetsync_core::protocol::Hello;

use crate::work::lookup::Found;
use crate::work::work_dir::WorkDir;

/// Limits the process to these directories and what is below them, as far as the system can.
pub type Confine = fn(&[Allowed<'_>]);

/// A directory that is used after the process has been limited.
pub struct Allowed<'d> {
    /// The directory.
    pub dir: BorrowedFd<'d>,
    /// What is done in it, and in all below it.
    pub access: Access,
}

/// What is done in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is listed, and its files are read.
    Read,
    /// Everything but executing.
    Write,
    /// Empty directories are removed.
    RemoveDirs,
}

/// The directories of a push that is no dry run.
pub fn of_push<'d>(hello: &Hello, destination: &'d Found, work: &'d WorkDir) -> Vec<Allowed<'d>> {
    let mut allowed = vec![
        Allowed { dir: destination.dir.as_fd(), access: Access::Write },
        Allowed { dir: work.outer(), access: Access::Write },
    ];
    if hello.whole_directory {
        // The destination is exchanged there, and what is there then is worked on.
        allowed.push(Allowed { dir: work.parent(), access: Access::Write });
    } else if !hello.files.is_empty() {
        // The work directory is removed at the end.
        allowed.push(Allowed { dir: work.parent(), access: Access::RemoveDirs });
    }
    allowed
}
