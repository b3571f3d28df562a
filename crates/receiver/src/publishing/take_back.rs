//! Takes a publishing back that has failed: undoes every step, the last one first.
//!
//! No log of steps is kept: the progress of each pass, the plan and the content of the staging
//! areas show what was done.

use std::io;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{ActionKind, FileAction};
use assetsync_core::recipe::Recipe;
use assetsync_tree::is_no_dir;
use rustix::fs::{AtFlags, Mode, mkdirat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::actions::{Actions, Step, is_dir};
use super::carry::Way;
use super::passes::Pass;
use super::publisher::{Publisher, link_name};

/// Most paths that are named.
const NAMED: usize = 10;

impl Publisher<'_, '_> {
    /// Undoes all steps. Returns the paths that could not be put back.
    pub(super) fn take_back(&mut self, actions: &mut dyn Actions) -> Vec<String> {
        let (mut stuck, mut more) = (Vec::new(), 0);
        let count = actions.count();
        self.tree.forget();
        for pass in Pass::ALL.into_iter().rev() {
            for nth in (0..self.progress.begun[pass as usize]).rev() {
                let index = pass.index(nth, count);
                let Ok(Some(action)) = actions.action(index) else { continue };
                let step = &mut Step { actions: &mut *actions, index, action: &action };
                match self.undo(pass, step) {
                    Ok(()) => {}
                    Err(_) if stuck.len() == NAMED => more += 1,
                    Err(error) => stuck.push(format!("{} ({error})", action.path)),
                }
            }
        }
        if more > 0 {
            stuck.push(format!("and {more} more"));
        }
        if let Err(error) = self.restore_modes() {
            stuck.push(format!("permission bits of directories ({error})"));
        }
        // After a power failure, the next push would complete it.
        let _ = self.sync();
        stuck
    }

    fn undo(&mut self, pass: Pass, step: &mut Step<'_>) -> io::Result<()> {
        let (index, action) = (step.index, step.action);
        let path = &action.path;
        let existing = step.existing()?;
        match (pass, &action.what) {
            (Pass::Respell, ActionKind::Respell { to }) => self.spell_back(path, to),
            (_, ActionKind::File(file)) if pass == Pass::of(file.rank) => {
                self.undo_file(step, file)
            }
            (Pass::Ordinary, ActionKind::Symlink { .. }) => {
                let name = link_name(self.stage, index);
                self.put_back(step, &name)
            }
            (Pass::Dirs, ActionKind::Dir { .. }) if !is_dir(existing.as_ref()) => {
                self.undo_dir(index, path, existing.as_ref())
            }
            (Pass::Deletes, ActionKind::Delete) => {
                self.change(path, |this| this.restore(index, path, existing.as_ref()))
            }
            (Pass::Dirs | Pass::DirModes, ActionKind::Dir { .. }) => match existing {
                Some(Entry { kind: Kind::Dir, mode, .. }) => self.tree.touch(path, mode, None),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn undo_file(&mut self, step: &mut Step<'_>, file: &FileAction) -> io::Result<()> {
        match (&file.recipe, &file.digest) {
            (Recipe::Touch, _) => match step.existing()? {
                Some(old) => self.tree.touch(&step.action.path, old.mode, Some(old.mtime)),
                None => Ok(()),
            },
            (Recipe::Keep, _) | (_, None) => Ok(()),
            (_, Some(digest)) => {
                let name = self.stage.name(digest, step.index);
                self.put_back(step, &name)
            }
        }
    }

    /// Undoes `put`: the staged entry goes back to its name, and what it replaced to its path.
    fn put_back(&mut self, step: &mut Step<'_>, name: &str) -> io::Result<()> {
        let (index, path) = (step.index, &step.action.path);
        let old = step.existing()?;
        let is_done = self.progress.failed != Some(index);
        if old.as_ref().is_some_and(|old| old.kind != Kind::Dir) {
            return self.change(path, |this| match is_done && this.is_staged(name, path)? {
                true => Ok(this.exchange(name, path)?),
                false => this.restore(index, path, old.as_ref()),
            });
        }
        if is_done && is_dir(old.as_ref()) && self.swap_dir_back(index, name, path)? {
            return self.refill(step);
        }
        if is_done {
            // Back in the staging area, the next push finds it.
            self.change(path, |this| this.carry(Way::Out, name, path))?;
        }
        if is_dir(old.as_ref()) {
            self.change(path, |this| this.restore(index, path, old.as_ref()))?;
            self.refill(step)?;
        }
        Ok(())
    }

    /// Puts the entries of a directory back, in which the plan replaces it by something else.
    fn refill(&mut self, step: &mut Step<'_>) -> io::Result<()> {
        for index in step.below()? {
            let Some(action) = step.actions.action(index)? else { continue };
            let old = Step { actions: step.actions, index, action: &action }.existing()?;
            self.change(&action.path, |this| this.restore(index, &action.path, old.as_ref()))?;
        }
        Ok(())
    }

    fn undo_dir(
        &mut self,
        index: ActionIndex,
        path: &RelPath,
        old: Option<&Entry>,
    ) -> io::Result<()> {
        if self.respelled.contains(path) {
            return Ok(());
        }
        self.tree.forget();
        if old.is_some() && self.swap_file_back(index, path)? {
            return Ok(());
        }
        self.change(path, |this| {
            match unlinkat(this.tree.parent(path)?, path.file_name(), AtFlags::REMOVEDIR) {
                // Another process put something into it, or it was not made.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => this.restore(index, path, old),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn is_staged(&mut self, name: &str, path: &RelPath) -> io::Result<bool> {
        let area = self.areas.of(self.tree, path)?;
        Ok(statat(area, name, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// Moves what was replaced or deleted back to its path, if it was taken away.
    fn restore(
        &mut self,
        index: ActionIndex,
        path: &RelPath,
        old: Option<&Entry>,
    ) -> io::Result<()> {
        use io::ErrorKind::{CrossesDevices, NotADirectory, NotFound};
        let name = self.old_name(index);
        let carried = match is_dir(old) {
            true => self.rename(Way::In, &name, path),
            false => self.carry(Way::In, &name, path),
        };
        match (carried.as_ref().map_err(io::Error::kind), old) {
            // A directory above it is restored later, with all that is in it.
            (Err(NotADirectory), _) => return Ok(()),
            // It could not be moved, and was removed; or it can't be moved back, and is empty.
            (Err(NotFound | CrossesDevices), Some(Entry { kind: Kind::Dir, mode, .. })) => {
                self.make_again(path, *mode)?;
            }
            (Err(NotFound), _) => return Ok(()),
            _ => carried?,
        }
        if is_dir(old) {
            self.tree.forget();
        }
        Ok(())
    }

    fn make_again(&mut self, path: &RelPath, mode: u32) -> io::Result<()> {
        let parent = match self.tree.parent(path) {
            Err(error) if is_no_dir(&error) => return Ok(()),
            parent => parent?,
        };
        match mkdirat(parent, path.file_name(), Mode::RWXU) {
            Ok(()) => self.tree.touch(path, mode, None),
            Err(Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn spell_back(&mut self, path: &RelPath, to: &RelPath) -> io::Result<()> {
        if path.file_name() == to.file_name() {
            return Ok(());
        }
        self.tree.forget();
        self.change(path, |this| {
            let parent = this.tree.parent(path)?;
            match renameat(parent, to.file_name(), parent, path.file_name()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}
