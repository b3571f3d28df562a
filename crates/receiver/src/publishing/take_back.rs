//! Takes a publishing back that has failed: undoes every step, the last one first.
//!
//! Nothing is remembered of each step: how far each pass came, the plan and what lies in the
//! staging areas tell what was done.

use std::io;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction};
use assetsync_core::recipe::Recipe;
use assetsync_tree::is_no_dir;
use rustix::fs::{AtFlags, Mode, mkdirat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::carry::Way;
use super::passes::Pass;
use super::publisher::{Actions, Publisher, existing, is_dir, link_name};
use super::replace::below;

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
                let position = pass.position(nth, count);
                let Ok(Some(action)) = actions.action(position) else { continue };
                match self.undo(actions, pass, position, &action) {
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

    fn undo(
        &mut self,
        actions: &mut dyn Actions,
        pass: Pass,
        position: ActionIndex,
        action: &Action,
    ) -> io::Result<()> {
        let path = &action.path;
        let existing = existing(actions, action)?;
        match (pass, &action.what) {
            (Pass::Respell, ActionKind::Respell { to }) => self.spell_back(path, to),
            (_, ActionKind::File(file)) if pass == Pass::of(file.rank) => {
                self.undo_file(actions, position, action, file)
            }
            (Pass::Ordinary, ActionKind::Symlink { .. }) => {
                let name = link_name(self.stage, position);
                self.put_back(actions, position, &name, action)
            }
            (Pass::Dirs, ActionKind::Dir { .. }) => match is_dir(existing.as_ref()) {
                true => Ok(()),
                false => self.undo_dir(position, path, existing.as_ref()),
            },
            (Pass::Deletes, ActionKind::Delete) => {
                self.change(path, |this| this.restore(position, path, existing.as_ref()))
            }
            (Pass::DirModes, ActionKind::Dir { .. }) => match existing {
                Some(Entry { kind: Kind::Dir, mode, .. }) => self.tree.touch(path, mode, None),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn undo_file(
        &mut self,
        actions: &mut dyn Actions,
        position: ActionIndex,
        action: &Action,
        file: &FileAction,
    ) -> io::Result<()> {
        match (&file.recipe, &file.digest) {
            (Recipe::Touch, _) => match existing(actions, action)? {
                Some(old) => self.tree.touch(&action.path, old.mode, Some(old.mtime)),
                None => Ok(()),
            },
            (Recipe::Keep, _) | (_, None) => Ok(()),
            (_, Some(digest)) => {
                let name = self.stage.name(digest, position);
                self.put_back(actions, position, &name, action)
            }
        }
    }

    /// Undoes `put`: the staged entry goes back to its name, and what it replaced to its path.
    fn put_back(
        &mut self,
        actions: &mut dyn Actions,
        position: ActionIndex,
        name: &str,
        action: &Action,
    ) -> io::Result<()> {
        let path = &action.path;
        let old = existing(actions, action)?;
        let is_done = self.progress.failed != Some(position);
        if old.as_ref().is_some_and(|old| old.kind != Kind::Dir) {
            return self.change(path, |this| match is_done && this.is_staged(name, path)? {
                true => Ok(this.exchange(name, path)?),
                false => this.restore(position, path, old.as_ref()),
            });
        }
        if is_done {
            // Back in the staging area, the next push finds it.
            self.change(path, |this| this.carry(Way::Out, name, path))?;
        }
        if is_dir(old.as_ref()) {
            self.change(path, |this| this.restore(position, path, old.as_ref()))?;
            self.refill(actions, position, path)?;
        }
        Ok(())
    }

    /// Puts the entries of a directory back, in which the plan replaces it by something else.
    fn refill(
        &mut self,
        actions: &mut dyn Actions,
        position: ActionIndex,
        path: &RelPath,
    ) -> io::Result<()> {
        for position in below(actions, position, path)? {
            let Some(action) = actions.action(position)? else { continue };
            let old = existing(actions, &action)?;
            self.change(&action.path, |this| this.restore(position, &action.path, old.as_ref()))?;
        }
        Ok(())
    }

    fn undo_dir(
        &mut self,
        position: ActionIndex,
        path: &RelPath,
        old: Option<&Entry>,
    ) -> io::Result<()> {
        if self.respelled.contains(path) {
            return Ok(());
        }
        self.tree.forget();
        self.change(path, |this| {
            match unlinkat(this.tree.parent(path)?, path.file_name(), AtFlags::REMOVEDIR) {
                // Another process put something into it, or it was not made.
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => this.restore(position, path, old),
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
        position: ActionIndex,
        path: &RelPath,
        old: Option<&Entry>,
    ) -> io::Result<()> {
        let name = self.old_name(position);
        let carried = self.carry(Way::In, &name, path);
        match (carried.as_ref().map_err(io::Error::kind), old) {
            // A directory above it is restored later, with all that is in it.
            (Err(io::ErrorKind::NotADirectory), _) => return Ok(()),
            // It could not be moved, and was removed.
            (Err(io::ErrorKind::NotFound), Some(Entry { kind: Kind::Dir, mode, .. })) => {
                self.make_again(path, *mode)?;
            }
            (Err(io::ErrorKind::NotFound), _) => return Ok(()),
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
