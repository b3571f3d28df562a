//! Directories that are made, and that take the place of files or give way to them: in one step,
//! where the file system can exchange, so that the path is never missing.

use std::io;

use assetsync_core::entry::{CARRIED_MODE, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_tree::make_dir;
use rustix::fs::{AtFlags, RenameFlags, renameat, renameat_with, unlinkat};

use super::carry::Way;
use super::publisher::Publisher;

impl Publisher<'_, '_> {
    /// Makes a directory, or takes one that exists, with its final permission bits before anything
    /// in it is published; only its owner can always fill it, until the last step.
    pub(super) fn make_dir(
        &mut self,
        index: ActionIndex,
        path: &RelPath,
        mode: u32,
    ) -> io::Result<()> {
        let mode = (mode & CARRIED_MODE) | 0o700;
        match self.kind(path)? {
            Some(Kind::Dir) => {}
            Some(_) => self.swap_in_dir(index, path, mode)?,
            None => {
                self.stage.give_dir(index)?;
                make_dir(self.tree.parent(path)?, path.file_name(), mode)?;
            }
        }
        match self.tree.touch(path, mode, None) {
            // It keeps its own, which the last step tells.
            Err(error) if self.is_others(path, &error) => Ok(()),
            done => done,
        }
    }

    /// Puts a directory in the place of what is none.
    fn swap_in_dir(&mut self, index: ActionIndex, path: &RelPath, mode: u32) -> io::Result<()> {
        let new = self.areas.trial(path.parent().as_ref())?;
        let sibling =
            RelPath::join(path.parent().as_ref(), new.as_bytes()).map_err(io::Error::other)?;
        self.stage.give_dir(index)?;
        make_dir(self.tree.parent(path)?, new.as_bytes(), mode)?;
        if self.swap(path, &sibling).is_err() {
            unlinkat(self.tree.parent(path)?, &new, AtFlags::REMOVEDIR)?;
            self.take(index, path)?;
            return make_dir(self.tree.parent(path)?, path.file_name(), mode);
        }
        let old = self.old_name(index);
        self.carry(Way::Out, &old, &sibling).inspect_err(|_| {
            // As it was: nothing else knows of the sibling.
            let swapped = self.swap(path, &sibling);
            let parent = self.tree.parent(path).map_err(drop);
            let _ = swapped.map(|()| parent.map(|it| unlinkat(it, &new, AtFlags::REMOVEDIR)));
        })
    }

    /// Exchanges two entries of one directory.
    fn swap(&mut self, path: &RelPath, sibling: &RelPath) -> io::Result<()> {
        let parent = self.tree.parent(path)?;
        let (name, other) = (path.file_name(), sibling.file_name());
        Ok(renameat_with(parent, other, parent, name, RenameFlags::EXCHANGE)?)
    }

    /// Puts the staged entry `name` in the place of an empty directory; `false` if that takes two
    /// steps here.
    pub(super) fn swap_for_dir(
        &mut self,
        index: ActionIndex,
        name: &str,
        path: &RelPath,
    ) -> io::Result<bool> {
        if self.is_filled(path) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.tree.forget();
        if !self.keeps_replaced {
            return Ok(false);
        }
        if self.change(path, |this| Ok(this.exchange(name, path)?)).is_err() {
            return Ok(false);
        }
        let old = self.old_name(index);
        if self.rename_in_area(name, &old, path).is_err() {
            // A directory of another project can't be renamed even in the area.
            self.exchange(name, path)?;
            self.tree.forget();
            return Ok(false);
        }
        Ok(true)
    }

    /// Undoes [`swap_for_dir`](Publisher::swap_for_dir); `false` if it was not done.
    pub(super) fn swap_dir_back(
        &mut self,
        index: ActionIndex,
        name: &str,
        path: &RelPath,
    ) -> io::Result<bool> {
        let old = self.old_name(index);
        if self.change(path, |this| Ok(this.exchange(&old, path)?)).is_err() {
            return Ok(false);
        }
        self.tree.forget();
        self.rename_in_area(&old, name, path)?;
        Ok(true)
    }

    /// Undoes [`swap_in_dir`](Publisher::swap_in_dir); `false` if it was not done.
    pub(super) fn swap_file_back(
        &mut self,
        index: ActionIndex,
        path: &RelPath,
    ) -> io::Result<bool> {
        let old = self.old_name(index);
        if self.exchange(&old, path).is_err() {
            return Ok(false);
        }
        self.tree.forget();
        let area = self.areas.of(self.tree, path)?;
        unlinkat(area, &old, AtFlags::REMOVEDIR).inspect_err(|_| {
            // Another process has put something into it.
            let _ = self.exchange(&old, path);
        })?;
        Ok(true)
    }

    fn rename_in_area(&mut self, from: &str, to: &str, path: &RelPath) -> io::Result<()> {
        let area = self.areas.of(self.tree, path)?;
        Ok(renameat(area, from, area, to)?)
    }
}
