//! The staging areas of a push: that of the work directory, and one more in every part of the
//! destination that a rename from there does not reach (another mount, file system or project), or
//! where files get another owner, group, access list or label.
//!
//! Such an area is a directory with a work directory's name, so it is never scanned or sent. It is
//! recorded before it is made: the next push removes what a killed one left.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use assetsync_core::path::RelPath;
use assetsync_tree::{OpenTree, is_no_dir, make_dir, open_dir, remove_entries, sync_file_system};
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};

use crate::staging::staging_area::StagingArea;
use crate::work::work_dir::WorkDir;

/// Bytes that are read of the list of areas in the work directory: names and paths, each ended by a
/// NUL.
const LIST_BYTES: u64 = 4 << 20;

/// The start of an area's name; the rest tells pushes apart.
const PREFIX: &str = ".assetsync-tmp";

/// Most areas of one push.
const MOST: usize = 4096;

/// The staging areas of one push.
pub struct Areas<'w> {
    work: &'w WorkDir,
    name: String,
    trial: String,
    /// The directories that have an area of their own for what is below them.
    roots: BTreeSet<Option<RelPath>>,
    /// The last one used.
    open: Option<(Option<RelPath>, OwnedFd)>,
}

impl<'w> Areas<'w> {
    /// The work directory's area alone.
    pub fn new(work: &'w WorkDir, stage: &StagingArea<'_>) -> Areas<'w> {
        let (name, trial) = (stage.temporary_name(PREFIX, 0), stage.temporary_name(PREFIX, 1));
        Areas { work, name, trial, roots: BTreeSet::new(), open: None }
    }

    /// The name of areas.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of a file that is only put into a directory for a moment. It is recorded that it
    /// may be left in `dir` if this push is killed.
    pub fn trial(&self, dir: Option<&RelPath>) -> io::Result<String> {
        self.record(&self.trial, dir)?;
        Ok(self.trial.clone())
    }

    /// Number of those besides the work directory's.
    pub fn count(&self) -> usize {
        self.roots.len()
    }

    /// The directories that have an area of their own.
    pub fn roots(&self) -> impl Iterator<Item = &Option<RelPath>> {
        self.roots.iter()
    }

    /// The work directory's area.
    pub fn stage(&self) -> BorrowedFd<'_> {
        self.work.stage()
    }

    /// The directory whose area is used for the entries of `dir`; `None` for the work directory's.
    pub fn root_of(&self, dir: Option<&RelPath>) -> Option<&Option<RelPath>> {
        if self.roots.is_empty() {
            return None;
        }
        let mut dir = dir.cloned();
        loop {
            if let Some(root) = self.roots.get(&dir) {
                return Some(root);
            }
            dir = dir?.parent();
        }
    }

    /// The area for the entries of `dir`.
    pub fn area(
        &mut self,
        tree: &mut OpenTree,
        dir: Option<&RelPath>,
    ) -> io::Result<BorrowedFd<'_>> {
        let Some(root) = self.root_of(dir).cloned() else { return Ok(self.work.stage()) };
        if self.open.as_ref().is_none_or(|(open, _)| *open != root) {
            let area = open_dir(tree.dir(root.as_ref())?, self.name.as_bytes())?;
            self.open = Some((root, area));
        }
        Ok(self.open.as_ref().map_or(self.work.stage(), |(_, area)| area.as_fd()))
    }

    /// The area for the entry at `path`.
    pub fn of(&mut self, tree: &mut OpenTree, path: &RelPath) -> io::Result<BorrowedFd<'_>> {
        self.area(tree, path.parent().as_ref())
    }

    /// Makes an area in `root`, for what is below it.
    pub fn add(&mut self, tree: &mut OpenTree, root: Option<RelPath>) -> io::Result<()> {
        if self.roots.len() >= MOST {
            return Err(io::Error::other(format!(
                "more than {MOST} mounts, projects, groups and access lists"
            )));
        }
        self.record(&self.name, root.as_ref())?;
        make_dir(tree.dir(root.as_ref())?, self.name.as_bytes(), 0o700)?;
        self.roots.insert(root);
        Ok(())
    }

    fn record(&self, name: &str, dir: Option<&RelPath>) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut list = File::from(openat(
            self.work.dir(),
            list_name(self.work),
            flags | OFlags::CLOEXEC,
            mode,
        )?);
        let path = dir.map_or(&b""[..], RelPath::as_bytes);
        list.write_all(&[name.as_bytes(), b"\0", path, b"\0"].concat())
    }

    /// Makes what is in the other areas durable.
    pub fn sync(&mut self, tree: &mut OpenTree) -> io::Result<()> {
        for root in self.roots.clone() {
            sync_file_system(self.area(tree, root.as_ref())?)?;
        }
        Ok(())
    }

    /// Removes the other areas of this push.
    pub fn remove(&mut self, tree: &mut OpenTree) -> io::Result<()> {
        self.open = None;
        self.roots.clear();
        remove_left(self.work, tree)
    }
}

/// The list is this user's own, as the staging area is.
fn list_name(work: &WorkDir) -> String {
    work.stage_name().replacen("stage", "areas", 1)
}

/// Removes the areas that are on the list.
pub fn remove_left(work: &WorkDir, tree: &mut OpenTree) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let list = match openat(work.dir(), list_name(work), flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        opened => File::from(opened?),
    };
    let mut bytes = Vec::new();
    list.take(LIST_BYTES).read_to_end(&mut bytes)?;
    let mut fields = bytes.split(|&byte| byte == 0);
    while let (Some(name), Some(path)) = (fields.next(), fields.next()) {
        let is_own = name.starts_with(PREFIX.as_bytes()) && !name.contains(&b'/');
        let path = if path.is_empty() { Ok(None) } else { RelPath::new(path).map(Some) };
        if let (true, Ok(path)) = (is_own, path) {
            match tree.dir(path.as_ref()) {
                Ok(dir) => remove_area(dir, name)?,
                Err(error) if is_no_dir(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(unlinkat(work.dir(), list_name(work), AtFlags::empty())?)
}

/// Removes an area with all that is in it, or a file that was tried.
fn remove_area(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    match open_dir(dir, name) {
        Ok(area) => remove_entries(area.as_fd(), |_| true)?,
        Err(error) if is_no_dir(&error) => {}
        Err(error) => return Err(error),
    }
    remove_entry(dir, name)
}

/// Removes a file or an empty directory, if it exists.
fn remove_entry(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    use rustix::io::Errno;
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // For a directory, Linux says EISDIR, other systems EPERM.
        Err(Errno::ISDIR | Errno::PERM) => Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?),
        Err(error) => Err(error.into()),
    }
}
