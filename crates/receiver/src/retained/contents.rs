//! Retained contents in the work directory: contents that were replaced or deleted, and that a
//! rollback may need. Each is a file, named by its digest.
//!
//! They are copies, not hard links: another process that writes to the old file in place does not
//! change them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::digest::Digest;
use assetsync_core::limits;
use assetsync_core::state::RetainedContent;
use assetsync_tree::{open_dir, open_file};
use rustix::fs::{AtFlags, Dir, FileType, statat, unlinkat};

use crate::work::sharing::{create_file, open_or_make, replace};
use crate::work::work_dir::WorkDir;

/// The directory's name in the work directory.
pub const NAME: &str = "aside";

/// The name of a content while it is written.
const NEW_NAME: &str = "new";

/// Lists the retained contents by digest; at most [`limits::RETAINED_CONTENTS`]. Other files in the
/// directory are ignored.
pub fn list(work: BorrowedFd<'_>) -> io::Result<Vec<RetainedContent>> {
    let dir = match open_dir(work, NAME.as_bytes()) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for item in Dir::read_from(&dir)? {
        if found.len() == limits::RETAINED_CONTENTS {
            break;
        }
        found.extend(retained_contents(dir.as_fd(), item?.file_name().to_bytes())?);
    }
    found.sort_unstable_by_key(|content: &RetainedContent| content.digest);
    Ok(found)
}

fn retained_contents(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<RetainedContent>> {
    let digest = std::str::from_utf8(name).ok().and_then(Digest::from_hex);
    // Only lower case: the name in capitals would be another file.
    let Some(digest) = digest.filter(|digest| digest.to_string().as_bytes() == name) else {
        return Ok(None);
    };
    let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let size = stat.st_size as u64;
    Ok((is_file && size <= limits::FILE_BYTES).then_some(RetainedContent { digest, size }))
}

/// Opens a retained content; its digest is not checked.
pub fn open(work: BorrowedFd<'_>, digest: &Digest) -> io::Result<File> {
    let dir = open_dir(work, NAME.as_bytes())?;
    open_file(dir.as_fd(), digest.to_string().as_bytes())
}

/// Removes a content; that it does not exist is not an error.
pub fn remove(work: BorrowedFd<'_>, digest: &Digest) -> io::Result<()> {
    let dir = open_dir(work, NAME.as_bytes())?;
    match unlinkat(&dir, digest.to_string(), AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Retains contents.
#[derive(Debug)]
pub struct RetainedWriter<'w> {
    work: &'w WorkDir,
    dir: OwnedFd,
    buffer: Vec<u8>,
}

impl<'w> RetainedWriter<'w> {
    /// Creates the directory if it does not exist.
    pub fn begin(work: &'w WorkDir) -> io::Result<RetainedWriter<'w>> {
        let dir = open_or_make(work.dir(), NAME)?;
        Ok(RetainedWriter { work, dir, buffer: vec![0; limits::LITERAL_BYTES] })
    }

    /// Retains the content of `file`, written under another name first; `false` if it does not
    /// have the digest.
    pub fn keep(&mut self, mut file: File, digest: &Digest) -> io::Result<bool> {
        let mut copy = create_file(self.dir.as_fd(), NEW_NAME)?;
        let mut hasher = blake3::Hasher::new();
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&self.buffer[..count]);
                    copy.write_all(&self.buffer[..count])?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if hasher.finalize().as_bytes() != &digest.0 {
            unlinkat(&self.dir, NEW_NAME, AtFlags::empty())?;
            return Ok(false);
        }
        assetsync_tree::sync(&copy)?;
        replace(self.dir.as_fd(), NEW_NAME, &digest.to_string())?;
        Ok(true)
    }

    /// Makes the names durable, too.
    pub fn finish(self) -> io::Result<()> {
        assetsync_tree::sync(&self.dir)?;
        assetsync_tree::sync(self.work.dir())
    }
}
