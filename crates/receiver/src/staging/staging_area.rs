//! The staging area: files are built and verified here before any is published.
//!
//! A file has the name `DIGEST.RUN.ACTION` from the start, so the next push can use it if this one
//! is interrupted; what is incomplete then does not have the size, and what is copied from it is
//! verified anyhow.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use assetsync_core::digest::Digest;
use assetsync_core::index::{ActionIndex, Index, Listed, PartialIndex, PartialList};
use assetsync_core::plan::FileAction;
use assetsync_core::state::Partial;
use assetsync_tree::{BackgroundSync, open_file, remove_entries, set_mode, set_mtime};
use rustix::fs::{Mode, OFlags, openat};

use crate::work::work_dir::{WorkDir, remove_staged};

/// Bytes are hashed and written once this many are pending.
const BUFFER_BYTES: usize = 128 * 1024;

/// Files from this size on are written to disk as they are staged, in bytes.
const WRITTEN_BACK: u64 = 64 * 1024;

/// Most partials that are reported.
const MAX_PARTIALS: usize = 200_000;

/// The staging area of one push.
#[derive(Debug)]
pub struct StagingArea<'w> {
    work: &'w WorkDir,
    /// Distinguishes this push's files from those of interrupted ones.
    push_id: u32,
    buffer: Vec<u8>,
    sync: BackgroundSync,
    /// Sync each file as it is staged, and each directory that is changed: for a few files that is
    /// cheaper than syncing the whole file system.
    pub sync_each: bool,
}

/// A partial: a file that an interrupted push left. Whether it is whole is seen when it is copied.
#[derive(Debug, Clone, Copy)]
pub struct PartialFile {
    digest: Digest,
    push_id: u32,
    action: ActionIndex,
    size: u64,
}

impl Listed for PartialFile {
    type List = PartialList;
}

impl PartialFile {
    /// The partial as it is reported to the sender.
    pub fn partial(&self) -> Partial {
        Partial { digest: self.digest.short(), size: self.size }
    }

    fn name(&self) -> String {
        staged_name(&self.digest, self.push_id, self.action)
    }
}

fn staged_name(digest: &Digest, push_id: u32, action: ActionIndex) -> String {
    format!("{digest}.{push_id:08x}.{}", action.number())
}

fn planned_digest(planned: &FileAction) -> io::Result<Digest> {
    planned.digest.ok_or_else(|| io::Error::other("file without a digest"))
}

impl<'w> StagingArea<'w> {
    /// Staging for a new push. `push_id` is any number that the last pushes did not use.
    pub fn new(work: &'w WorkDir, push_id: u32) -> StagingArea<'w> {
        let (buffer, sync) = (Vec::with_capacity(BUFFER_BYTES), BackgroundSync::default());
        StagingArea { work, push_id, buffer, sync, sync_each: false }
    }

    /// Lists the partials. Everything else is removed.
    pub fn partials(&self) -> io::Result<Vec<PartialFile>> {
        let mut partials = Vec::new();
        self.each_name(|name| match self.partial(name) {
            Some(partial) if partials.len() < MAX_PARTIALS => {
                partials.push(partial);
                Ok(())
            }
            _ => remove_staged(self.work, name),
        })?;
        Ok(partials)
    }

    fn each_name(&self, mut visit: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        for item in rustix::fs::Dir::read_from(self.work.stage())? {
            let item = item?;
            let name = item.file_name().to_string_lossy();
            if name != "." && name != ".." {
                visit(&name)?;
            }
        }
        Ok(())
    }

    fn partial(&self, name: &str) -> Option<PartialFile> {
        let mut parts = name.split('.');
        let digest = Digest::from_hex(parts.next()?)?;
        let push_id = u32::from_str_radix(parts.next()?, 16).ok()?;
        let action = Index::new(parts.next()?.parse().ok()?);
        let file = open_file(self.work.stage(), name.as_bytes()).ok()?;
        let size = file.metadata().ok()?.len();
        Some(PartialFile { digest, push_id, action, size })
    }

    /// Opens a partial, to copy from it. It is never staged as it is: what it has in memory may not
    /// be on disk, where a sync of it failed or the host lost power.
    pub fn open_partial(&self, partial: &PartialFile) -> io::Result<File> {
        open_file(self.work.stage(), partial.name().as_bytes())
    }

    /// Removes a partial that was copied, to free its space.
    pub fn remove_partial(&self, partial: &PartialFile) -> io::Result<()> {
        remove_staged(self.work, &partial.name())
    }

    /// Removes partials that the plan does not use, to free their space.
    pub fn remove_unused(
        &self,
        partials: &[PartialFile],
        used: &HashSet<PartialIndex>,
    ) -> io::Result<()> {
        for (index, partial) in Index::enumerate(partials) {
            if !used.contains(&index) {
                self.remove_partial(partial)?;
            }
        }
        Ok(())
    }

    /// Opens a file this push has staged, to copy from it.
    pub fn open_staged(&self, digest: &Digest, action: ActionIndex) -> io::Result<File> {
        open_file(self.work.stage(), self.name(digest, action).as_bytes())
    }

    /// The name of the file staged for an action.
    pub fn name(&self, digest: &Digest, action: ActionIndex) -> String {
        staged_name(digest, self.push_id, action)
    }

    /// Starts the file of an action.
    pub fn create(&mut self, action: ActionIndex, planned: &FileAction) -> io::Result<StagedFile> {
        let digest = planned_digest(planned)?;
        let name = self.name(&digest, action);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(self.work.stage(), &name, flags, Mode::RUSR | Mode::WUSR)?;
        self.work.give(&file)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        Ok(StagedFile {
            file: file.into(),
            name,
            digest,
            size: planned.size,
            hasher: blake3::Hasher::new(),
            buffer,
            length: 0,
        })
    }

    /// Completes a file: returns `true` if it is as planned, and so staged; otherwise it is
    /// removed.
    pub fn finish(&mut self, mut staged: StagedFile, planned: &FileAction) -> io::Result<bool> {
        staged.flush()?;
        let right =
            staged.length == staged.size && staged.hasher.finalize().as_bytes() == &staged.digest.0;
        if right {
            set_mode(&staged.file, planned.mode)?;
            set_mtime(&staged.file, planned.mtime)?;
            match self.sync_each {
                true => assetsync_tree::sync(&staged.file)?,
                // While it is written to disk, more arrives.
                false => self.write_back(&staged),
            }
            self.buffer = staged.buffer;
        } else {
            self.discard(staged)?;
        }
        Ok(right)
    }

    /// Begins to write a file to disk. Small ones are written soonest together.
    fn write_back(&mut self, staged: &StagedFile) {
        if staged.length >= WRITTEN_BACK {
            assetsync_tree::begin_write_back(&staged.file);
        }
        self.sync.wrote(staged.length, self.work.dir());
    }

    /// Removes an incomplete file.
    pub fn discard(&mut self, staged: StagedFile) -> io::Result<()> {
        self.buffer = staged.buffer;
        remove_staged(self.work, &staged.name)
    }

    /// The directory itself.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.work.stage()
    }

    /// A name in the staging area for something else, such as a replaced directory.
    pub fn temporary_name(&self, what: &str, number: u32) -> String {
        format!("{what}.{:08x}.{number}", self.push_id)
    }

    /// Makes everything that is staged durable, if it is not yet.
    pub fn make_durable(&self) -> io::Result<()> {
        if self.sync_each { Ok(()) } else { assetsync_tree::sync_file_system(self.work.dir()) }
    }

    /// Removes everything that is left in the staging area.
    pub fn clear(&self) -> io::Result<()> {
        remove_entries(self.work.stage(), |_| true)
    }

    /// Removes everything but what other pushes left.
    pub fn clear_own(&self) -> io::Result<()> {
        remove_entries(self.work.stage(), |name| {
            let partial = std::str::from_utf8(name).ok().and_then(|name| self.partial(name));
            partial.is_none_or(|it| it.push_id == self.push_id)
        })
    }
}

/// A file that is being built.
#[derive(Debug)]
pub struct StagedFile {
    file: File,
    name: String,
    digest: Digest,
    /// Its declared size in bytes.
    size: u64,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    /// Its current size in bytes.
    length: u64,
}

/// A file that would grow over its declared size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Content goes beyond the declared {size} bytes")]
pub struct SizeExceeded {
    /// The declared size in bytes.
    pub size: u64,
}

impl StagedFile {
    /// Bytes still missing.
    pub fn missing(&self) -> u64 {
        self.size - self.length
    }

    /// Checks that `count` more bytes are allowed, before any of them is touched.
    pub fn expect(&self, count: u64) -> Result<(), SizeExceeded> {
        if count > self.missing() { Err(SizeExceeded { size: self.size }) } else { Ok(()) }
    }

    /// Appends bytes; they must have been [expected](StagedFile::expect).
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends the next `length` bytes of `basis`, which must have been
    /// [expected](StagedFile::expect); `false` if it ends before.
    pub fn copy(&mut self, basis: &mut impl Read, length: u64) -> io::Result<bool> {
        let mut left = length;
        while left > 0 {
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
            let want = left.min((BUFFER_BYTES - self.buffer.len()) as u64);
            let count = basis.by_ref().take(want).read_to_end(&mut self.buffer)? as u64;
            self.length += count;
            left -= count;
            if count < want {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
