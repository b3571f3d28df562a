//! The changes of a publishing, one path each. What is replaced or deleted stays in a staging area,
//! under the name of what replaced it or as `old`, until all is done.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_tree::{make_dir, metadata_at, open_dir};
use rustix::fs::{AtFlags, Dir, RenameFlags, linkat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::actions::{Step, is_dir};
use super::carry::{Way, copy_entry};
use super::clone_tree::copy_metadata;
use super::prepare::set_link_mtime;
use super::proof::is_mount_point_at;
use super::publisher::Publisher;

impl Publisher<'_, '_> {
    /// The name under which what an action replaces or deletes is kept.
    pub(super) fn old_name(&self, index: ActionIndex) -> String {
        self.stage.temporary_name("old", index.number())
    }

    /// Renames the staged entry `name` to an action's path.
    pub(super) fn put(&mut self, step: &mut Step<'_>, name: &str) -> io::Result<()> {
        let (index, path) = (step.index, &step.action.path);
        let existing = step.existing()?;
        if is_dir(existing.as_ref()) {
            self.empty(step)?;
            if self.swap_for_dir(index, name, path)? {
                return Ok(());
            }
            self.change(path, |this| this.take(index, path))?;
        }
        let is_replaced = existing.is_some_and(|entry| entry.kind != Kind::Dir);
        self.change(path, |this| match is_replaced {
            true => this.replace(index, name, path),
            false => this.carry(Way::In, name, path),
        })
    }

    /// Replaces an entry that is not a directory: the path has its old content or its new one at
    /// any moment.
    fn replace(&mut self, index: ActionIndex, name: &str, path: &RelPath) -> io::Result<()> {
        if !self.keeps_replaced {
            // Exchanged, it would be taken for a partial with the new content.
            return self.carry(Way::In, name, path);
        }
        match self.exchange(name, path) {
            Err(Errno::NOENT) => self.carry(Way::In, name, path),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV) => {
                self.keep(index, path)?;
                match self.carry(Way::In, name, path) {
                    // A file system whose renames do not replace.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        unlinkat(self.tree.parent(path)?, path.file_name(), AtFlags::empty())?;
                        self.carry(Way::In, name, path)
                    }
                    done => done,
                }
            }
            done => Ok(done?),
        }
    }

    /// Exchanges the staged entry `name` with what is at `path`.
    pub(super) fn exchange(&mut self, name: &str, path: &RelPath) -> Result<(), Errno> {
        let as_errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let area = self.areas.of(self.tree, path).map_err(as_errno)?;
        let parent = self.tree.parent(path).map_err(as_errno)?;
        let file_name = path.file_name();
        match renameat_with(area, name, parent, file_name, RenameFlags::EXCHANGE) {
            // XFS looks at the project of the first entry alone.
            Err(Errno::XDEV) => renameat_with(parent, file_name, area, name, RenameFlags::EXCHANGE),
            done => done,
        }
    }

    /// Keeps what is at `path` if the file system has no exchange: as a hard link or a copy.
    fn keep(&mut self, index: ActionIndex, path: &RelPath) -> io::Result<()> {
        let old = self.old_name(index);
        let area = self.areas.of(self.tree, path)?;
        let (parent, name) = (self.tree.parent(path)?, path.file_name());
        let mtime = metadata_at(parent, name)?.mtime;
        if linkat(parent, name, area, &old, AtFlags::empty()).is_ok() {
            return restore_mtime(area, &old, mtime);
        }
        let half = self.stage.temporary_name("half", index.number());
        copy_entry(parent, name, area, &half)?;
        Ok(renameat(area, &half, area, &old)?)
    }

    /// Takes away the entries of a directory that is replaced, all of which the plan deletes.
    fn empty(&mut self, step: &mut Step<'_>) -> io::Result<()> {
        for below in step.below()?.rev() {
            if let Some(action) = step.actions.action(below)? {
                self.delete(below, &action.path)?;
            }
        }
        Ok(())
    }

    /// Takes away what is at `path`. What others have put into a directory meanwhile, and what is
    /// mounted, stays.
    pub(super) fn delete(&mut self, index: ActionIndex, path: &RelPath) -> io::Result<()> {
        let taken = self.change(path, |this| this.take(index, path));
        self.or_stays(path, taken)
    }

    /// Deletes what is at `path` permanently.
    pub(super) fn remove(&mut self, path: &RelPath) -> io::Result<()> {
        let removed = self.change(path, |this| {
            let Some(kind) = this.kind(path)? else { return Ok(()) };
            let flags = if kind == Kind::Dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            if kind == Kind::Dir {
                this.tree.forget();
            }
            Ok(unlinkat(this.tree.parent(path)?, path.file_name(), flags)?)
        });
        self.or_stays(path, removed)
    }

    fn or_stays(&mut self, path: &RelPath, removed: io::Result<()>) -> io::Result<()> {
        let why = match removed {
            // Another process created something in it meanwhile, or a filter protects its content.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => "is not empty",
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                match is_mount_point_at(self.tree.parent(path)?, path.file_name()) {
                    true => "is a mount point",
                    false => return Err(error),
                }
            }
            done => return done,
        };
        self.notices.push(format!("{path} {why} and stays"));
        Ok(())
    }

    pub(super) fn kind(&mut self, path: &RelPath) -> io::Result<Option<Kind>> {
        Ok(self.tree.file_metadata(path)?.map(|file_metadata| file_metadata.kind))
    }

    /// Moves what is at `path` into a staging area. An empty directory that can't be moved, because
    /// it belongs to another user or to a lower layer of an overlay, is removed.
    pub(super) fn take(&mut self, index: ActionIndex, path: &RelPath) -> io::Result<()> {
        let Some(metadata) = self.tree.file_metadata(path)? else { return Ok(()) };
        let is_dir = metadata.kind == Kind::Dir;
        if is_dir {
            if self.is_filled(path) {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            self.tree.forget();
        }
        let old = self.old_name(index);
        if !is_dir {
            self.carry(Way::Out, &old, path)?;
            return restore_mtime(self.areas.of(self.tree, path)?, &old, metadata.mtime);
        }
        let moved = self.rename(Way::Out, &old, path);
        match moved.as_ref().map_err(Errno::from_io_error) {
            Err(Some(Errno::XDEV | Errno::ACCESS | Errno::PERM | Errno::INVAL)) => {
                self.keep_dir(&old, path);
                let parent = self.tree.parent(path)?;
                Ok(unlinkat(parent, path.file_name(), AtFlags::REMOVEDIR)?)
            }
            _ => moved,
        }
    }

    /// Makes a directory like the one at `path` in the staging area. Without it, one with the same
    /// permission bits is put back.
    fn keep_dir(&mut self, old: &str, path: &RelPath) {
        let like = self.tree.dir(Some(path)).and_then(|dir| dir.try_clone_to_owned());
        self.tree.forget();
        let (Ok(like), Ok(area)) = (like, self.areas.of(self.tree, path)) else { return };
        let made = make_dir(area, old.as_bytes(), 0o700)
            .and_then(|()| open_dir(area, old.as_bytes()))
            .and_then(|made| copy_metadata(made.as_fd(), like.as_fd()));
        if made.is_err() {
            let _ = unlinkat(area, old, AtFlags::REMOVEDIR);
        }
    }

    /// Whether a directory has entries besides an area of this push, if it can be read.
    pub(super) fn is_filled(&mut self, path: &RelPath) -> bool {
        let Ok(dir) = self.tree.dir(Some(path)) else { return false };
        let Ok(items) = Dir::read_from(dir) else { return false };
        let own = self.areas.name().as_bytes();
        let is_entry = |name: &[u8]| name != b"." && name != b".." && name != own;
        items.flatten().any(|item| is_entry(item.file_name().to_bytes()))
    }
}

/// A file system of layers copies what it moves out of a lower one, and may forget times.
fn restore_mtime(area: BorrowedFd<'_>, name: &str, mtime: Mtime) -> io::Result<()> {
    match metadata_at(area, name.as_bytes())?.mtime == mtime {
        true => Ok(()),
        false => set_link_mtime(area, name, mtime),
    }
}
