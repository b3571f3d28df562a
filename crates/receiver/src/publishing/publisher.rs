//! Publishes a plan: renames staged files into place, in an order that is safe at every moment.
//!
//! 1. Everything staged is made durable before publishing begins.
//! 2. Respelled paths; then directories, ordinary files and symlinks, by renaming: a path has its
//!    old content or its new one.
//! 3. That is made durable; then entry points, which name the files, are renamed.
//! 4. Deletes, the deepest first; then the final permission bits of directories.
//! 5. Deletes that were left for pruning, when the sender wants them.
//!
//! After a crash between two steps every file is complete, and entry points name only existing
//! files.

use std::collections::{BTreeSet, HashSet};
use std::io;

use assetsync_core::entry::{CARRIED_MODE, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction};
use assetsync_core::recipe::Recipe;
use assetsync_tree::{OpenTree, make_dir, metadata_at, set_mtime_at};
use rustix::fs::{AtFlags, Mode, renameat, symlinkat, unlinkat};

use super::alias::is_one;
use crate::staging::staging_area::{StagingArea, sync_file_system};
use crate::work::work_dir::WorkDir;

/// Actions per piece when the plan is walked backwards.
const PIECE: u32 = 64;

/// The actions of a plan.
pub trait Actions {
    /// Number of actions.
    fn count(&self) -> u32;

    /// The action at this index, with its path.
    fn action(&mut self, position: u32) -> io::Result<Option<Action>>;
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("Can't publish {path}: {source}")]
pub struct PublishError {
    /// The path, relative to the destination.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

/// Publishes one plan.
pub struct Publisher<'a> {
    /// The destination.
    pub tree: &'a mut OpenTree,
    /// The staging area, which has the files.
    pub stage: &'a StagingArea<'a>,
    /// The work directory.
    pub work: &'a WorkDir,
    /// Texts for the user.
    pub notices: Vec<String>,
    moved_aside: u32,
    /// Whether the plan has actions for the last steps.
    later: DeferredSteps,
    /// New paths that the destination spells differently, or did before publishing began.
    respelled: HashSet<RelPath>,
    /// Directories changed since the last sync, if each is synced.
    changed: BTreeSet<Option<RelPath>>,
    /// Directories that were made writable temporarily, and their original permission bits.
    opened: Vec<(Option<RelPath>, u32)>,
}

#[derive(Default)]
struct DeferredSteps {
    deletes: bool,
    dir_modes: bool,
}

impl<'a> Publisher<'a> {
    /// A publisher into `tree`.
    pub fn new(
        tree: &'a mut OpenTree,
        stage: &'a StagingArea<'a>,
        work: &'a WorkDir,
    ) -> Publisher<'a> {
        let (notices, moved_aside) = (Vec::new(), 0);
        let (changed, opened) = (BTreeSet::new(), Vec::new());
        let (later, respelled) = (DeferredSteps::default(), HashSet::new());
        Publisher { tree, stage, work, notices, moved_aside, later, respelled, changed, opened }
    }

    /// Carries out all of the plan except what is left for pruning. Staged files must be durable.
    pub fn publish(&mut self, actions: &mut impl Actions) -> Result<(), PublishError> {
        if actions.count() == 0 {
            return Ok(());
        }
        self.each_backwards(actions, Self::respell)?;
        let entry_points = self.each(actions, Self::publish_ordinary)?;
        if entry_points > 0 {
            self.sync()?;
            self.each(actions, Self::publish_entry_point)?;
        }
        if self.later.deletes {
            self.each_backwards(actions, Self::delete)?;
        }
        let closed = self.restore_modes();
        closed.map_err(|source| PublishError { path: ".".into(), source })?;
        if self.later.dir_modes {
            self.each_backwards(actions, Self::set_dir_mode)?;
        }
        self.sync()
    }

    /// Runs the deletes that were left for pruning.
    pub fn prune(&mut self, actions: &mut impl Actions) -> Result<(), PublishError> {
        self.each_backwards(actions, Self::delete_at_prune)?;
        let closed = self.restore_modes();
        closed.map_err(|source| PublishError { path: ".".into(), source })?;
        self.sync()
    }

    /// Makes all that was done so far durable.
    fn sync(&mut self) -> Result<(), PublishError> {
        let synced = match self.stage.sync_each {
            true => self.sync_changed(),
            false => sync_file_system(self.work.dir()),
        };
        synced.map_err(|source| PublishError { path: ".".into(), source })
    }

    /// Syncs the changed directories; staged files were synced one by one.
    fn sync_changed(&mut self) -> io::Result<()> {
        for path in std::mem::take(&mut self.changed) {
            match self.tree.dir(path.as_ref()) {
                Ok(dir) => assetsync_tree::sync(dir)?,
                // Deleted or replaced since; its own parent is synced too.
                Err(error) if is_no_dir(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs a change in the directory of `path`. If the owner has no write permission for it, it is
    /// made writable for the duration of the push.
    fn change(
        &mut self,
        path: &RelPath,
        change: impl Fn(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.stage.sync_each {
            self.changed.insert(path.parent());
        }
        match change(self) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                self.make_writable(path.parent()).map_err(|_| error)?;
                change(self)
            }
            done => done,
        }
    }

    fn make_writable(&mut self, dir: Option<RelPath>) -> io::Result<()> {
        let fd = self.tree.dir(dir.as_ref())?;
        let mode = rustix::fs::fstat(fd)?.st_mode & 0o7777;
        rustix::fs::fchmod(fd, Mode::from_raw_mode((mode | 0o300) as _))?;
        self.opened.push((dir, mode));
        Ok(())
    }

    /// Restores the permission bits of directories that were made writable, unless the plan sets
    /// others.
    fn restore_modes(&mut self) -> io::Result<()> {
        for (dir, mode) in std::mem::take(&mut self.opened) {
            match self.tree.dir(dir.as_ref()) {
                Ok(fd) => rustix::fs::fchmod(fd, Mode::from_raw_mode(mode as _))?,
                Err(error) if is_no_dir(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs a step for each action; counts those for which it returns `true`.
    fn each(
        &mut self,
        actions: &mut impl Actions,
        step: fn(&mut Self, u32, &Action) -> io::Result<bool>,
    ) -> Result<u32, PublishError> {
        let mut counted = 0;
        for position in 0..actions.count() {
            let Some(action) = fetch(actions, position)? else { break };
            let done = step(self, position, &action);
            counted += u32::from(done.map_err(|source| failed(&action, source))?);
        }
        Ok(counted)
    }

    /// Returns `true` for actions that are left to
    /// [`publish_entry_point`](Self::publish_entry_point).
    fn publish_ordinary(&mut self, position: u32, action: &Action) -> io::Result<bool> {
        if !action.file().is_some_and(|file| file.entry_point) {
            self.check_new(action)?;
        }
        match &action.what {
            ActionKind::Dir { mode } => {
                self.later.dir_modes = true;
                self.change(&action.path, |this| this.make_dir(&action.path, *mode))?;
            }
            ActionKind::Symlink { target, mtime } => {
                let name = self.stage.temporary_name("link", position);
                let stage = self.work.stage();
                symlinkat(target.as_slice(), stage, &name)?;
                set_mtime_at(stage, name.as_bytes(), *mtime)?;
                self.change(&action.path, |this| this.put(&name, &action.path))?;
            }
            ActionKind::File(file) if file.entry_point => return Ok(true),
            ActionKind::File(file) => self.publish_file(position, &action.path, file)?,
            ActionKind::Delete => self.later.deletes = true,
            ActionKind::Prune | ActionKind::Respell { .. } => {}
        }
        Ok(false)
    }

    /// A new path must still be free: otherwise two names of the plan are one to the file system,
    /// and the second would replace the first.
    fn check_new(&mut self, action: &Action) -> io::Result<()> {
        let is_new = action.known.is_none() && !self.respelled.contains(&action.path);
        if is_new && self.tree.file_metadata(&action.path)?.is_some() {
            let text = "another process created it since the push began, or its name equals another one on this file system";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(())
    }

    /// Renames an entry to the source's spelling; both names must be the same entry.
    fn respell(&mut self, action: &Action) -> io::Result<()> {
        let ActionKind::Respell { to } = &action.what else { return Ok(()) };
        self.respelled.insert(to.clone());
        let name = to.file_name();
        if action.path.file_name() == name {
            return Ok(());
        }
        self.change(&action.path, |this| {
            let parent = this.tree.parent(&action.path)?;
            let (existing, other) =
                (metadata_at(parent, action.path.file_name())?, metadata_at(parent, name));
            if other.is_ok_and(|other| !is_one(&existing, &other)) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(renameat(parent, action.path.file_name(), parent, name)?)
        })?;
        self.tree.forget();
        Ok(())
    }

    fn publish_entry_point(&mut self, position: u32, action: &Action) -> io::Result<bool> {
        match &action.what {
            ActionKind::File(file) if file.entry_point => {
                self.check_new(action)?;
                self.publish_file(position, &action.path, file)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn publish_file(&mut self, position: u32, path: &RelPath, file: &FileAction) -> io::Result<()> {
        match (&file.recipe, &file.digest) {
            (Recipe::Keep, _) => Ok(()),
            (Recipe::Touch, _) => self.tree.touch(path, file.mode, Some(file.mtime)),
            (_, Some(digest)) => {
                let name = self.stage.name(digest, position);
                self.change(path, |this| this.put(&name, path))
            }
            (_, None) => Err(io::Error::other("file without a digest")),
        }
    }

    /// Renames the staged entry `name` to `path`.
    fn put(&mut self, name: &str, path: &RelPath) -> io::Result<()> {
        let stage = self.work.stage();
        let parent = self.tree.parent(path)?;
        match renameat(stage, name, parent, path.file_name()) {
            Ok(()) => Ok(()),
            Err(
                rustix::io::Errno::ISDIR | rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY,
            ) => {
                let retained_contents = self.move_aside(path)?;
                let parent = self.tree.parent(path)?;
                let placed = renameat(self.work.stage(), name, parent, path.file_name());
                if placed.is_err() {
                    // Move the old entry back before the failure is reported.
                    renameat(self.work.stage(), &retained_contents, parent, path.file_name())?;
                }
                Ok(placed?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the entry at `path` into the staging area, where it is removed at the end.
    fn move_aside(&mut self, path: &RelPath) -> io::Result<String> {
        self.tree.forget();
        self.moved_aside += 1;
        let name = self.stage.temporary_name("old", self.moved_aside);
        let parent = self.tree.parent(path)?;
        renameat(parent, path.file_name(), self.work.stage(), &name)?;
        Ok(name)
    }

    fn make_dir(&mut self, path: &RelPath, mode: u32) -> io::Result<()> {
        match self.tree.file_metadata(path)?.map(|file_metadata| file_metadata.kind) {
            Some(Kind::Dir) => return Ok(()),
            Some(_) => drop(self.move_aside(path)?),
            None => {}
        }
        // The owner must be able to fill it; the last step sets the final bits.
        make_dir(self.tree.parent(path)?, path.file_name(), (mode & CARRIED_MODE) | 0o700)
    }

    /// Runs a step for each action, the deepest paths first.
    fn each_backwards(
        &mut self,
        actions: &mut impl Actions,
        step: fn(&mut Self, &Action) -> io::Result<()>,
    ) -> Result<(), PublishError> {
        let count = actions.count();
        for start in (0..count.div_ceil(PIECE)).rev().map(|piece| piece * PIECE) {
            let mut piece = Vec::new();
            for position in start..count.min(start + PIECE) {
                piece.extend(fetch(actions, position)?);
            }
            for action in piece.iter().rev() {
                step(self, action).map_err(|source| failed(action, source))?;
            }
        }
        Ok(())
    }

    fn set_dir_mode(&mut self, action: &Action) -> io::Result<()> {
        match action.what {
            ActionKind::Dir { mode } => self.tree.touch(&action.path, mode, None),
            _ => Ok(()),
        }
    }

    fn delete(&mut self, action: &Action) -> io::Result<()> {
        match action.what {
            ActionKind::Delete => self.change(&action.path, |this| this.remove(&action.path)),
            _ => Ok(()),
        }
    }

    fn delete_at_prune(&mut self, action: &Action) -> io::Result<()> {
        match action.what {
            ActionKind::Prune => self.change(&action.path, |this| this.remove(&action.path)),
            _ => Ok(()),
        }
    }

    fn remove(&mut self, path: &RelPath) -> io::Result<()> {
        let Some(file_metadata) = self.tree.file_metadata(path)? else { return Ok(()) };
        let is_dir = file_metadata.kind == Kind::Dir;
        let flags = if is_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let gone = unlinkat(self.tree.parent(path)?, path.file_name(), flags);
        if is_dir {
            self.tree.forget();
        }
        match gone {
            // Another process created something in it meanwhile, or a filter protects its content.
            Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => {
                self.notices.push(format!("{path} is not empty and stays"));
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn is_no_dir(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn fetch(actions: &mut impl Actions, position: u32) -> Result<Option<Action>, PublishError> {
    actions.action(position).map_err(|source| PublishError { path: ".".into(), source })
}

fn failed(action: &Action, source: io::Error) -> PublishError {
    PublishError { path: action.path.to_string(), source }
}
