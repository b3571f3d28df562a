//! Publishes a plan: renames staged files into place, in an order that is safe at every moment.
//!
//! 1. Everything staged is made durable before publishing begins.
//! 2. Respelled paths; then directories.
//! 3. Files and symlinks, by renaming: a path has its old content or its new one. Those of one rank
//!    after the other, and what was renamed is made durable before the next rank.
//! 4. Deletes, the deepest first; then the final permission bits of directories.
//! 5. Deletes that were left for pruning, when the sender wants them.
//!
//! After a crash between two steps every file is complete, and names only existing files of lower
//! ranks. What is replaced or deleted is kept in the staging area until all is done: if a step
//! fails, all are taken back (`take_back`).

use std::collections::{BTreeSet, HashSet};
use std::io;

use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, PublishRank};
use assetsync_core::recipe::Recipe;
use assetsync_tree::{OpenTree, is_no_dir, metadata_at, sync_file_system};
use rustix::fs::{Mode, renameat};

use super::actions::{Actions, Step};
use super::alias::is_one;
use super::areas::Areas;
use super::passes::{Pass, Progress};
use crate::staging::staging_area::StagingArea;
use crate::work::work_dir::WorkDir;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("Can't publish {path}: {source}")]
pub struct PublishError {
    /// The path, relative to the destination.
    pub path: String,
    /// Why.
    pub source: io::Error,
}

impl PublishError {
    /// An error of the destination as a whole.
    pub fn whole(source: io::Error) -> PublishError {
        PublishError { path: ".".into(), source }
    }
}

/// A publishing that failed and was taken back.
#[derive(Debug)]
pub struct PublishFailure {
    /// The step that failed.
    pub error: PublishError,
    /// Paths that could not be put back; all others are as before.
    pub not_put_back: Vec<String>,
}

/// Publishes one plan.
pub struct Publisher<'a, 'w> {
    /// The destination.
    pub tree: &'a mut OpenTree,
    /// The staging area, which has the files.
    pub stage: &'a StagingArea<'w>,
    /// All staging areas.
    pub areas: &'a mut Areas<'w>,
    /// The work directory.
    pub work: &'w WorkDir,
    /// Texts for the user.
    pub notices: Vec<String>,
    /// Whether what is replaced is kept until all is done. A clone is thrown away instead.
    pub keeps_replaced: bool,
    /// The passes after the first for which the plan has actions.
    later: [bool; Pass::ALL.len()],
    pub(super) progress: Progress,
    /// New paths that the destination spells differently, or did before publishing began.
    pub(super) respelled: HashSet<RelPath>,
    /// Directories changed since the last sync, if each is synced.
    changed: BTreeSet<Option<RelPath>>,
    /// Directories that were made writable temporarily, and their original permission bits.
    opened: Vec<(Option<RelPath>, Mode)>,
}

impl<'a, 'w> Publisher<'a, 'w> {
    /// A publisher into `tree`.
    pub fn new(
        tree: &'a mut OpenTree,
        stage: &'a StagingArea<'w>,
        areas: &'a mut Areas<'w>,
        work: &'w WorkDir,
    ) -> Publisher<'a, 'w> {
        let (notices, later) = (Vec::new(), [false; Pass::ALL.len()]);
        let (progress, respelled) = (Progress::default(), HashSet::new());
        let (changed, opened) = (BTreeSet::new(), Vec::new());
        Publisher {
            tree,
            stage,
            areas,
            work,
            notices,
            keeps_replaced: true,
            later,
            progress,
            respelled,
            changed,
            opened,
        }
    }

    /// Carries out all of the plan except what is left for pruning. Staged files must be durable.
    /// If that fails, everything is put back, if it was kept.
    pub fn publish(&mut self, actions: &mut dyn Actions) -> Result<(), PublishFailure> {
        if actions.count() == 0 {
            return Ok(());
        }
        self.run(actions).map_err(|error| {
            let keeps = self.keeps_replaced;
            let not_put_back = if keeps { self.take_back(actions) } else { Vec::new() };
            PublishFailure { error, not_put_back }
        })
    }

    fn run(&mut self, actions: &mut dyn Actions) -> Result<(), PublishError> {
        self.each(actions, Pass::Respell)?;
        self.each(actions, Pass::Dirs)?;
        let mut is_first = true;
        for pass in PublishRank::ALL.map(Pass::of) {
            if self.later[pass as usize] {
                if !is_first {
                    self.sync()?;
                }
                self.each(actions, pass)?;
                is_first = false;
            }
        }
        self.each(actions, Pass::Deletes)?;
        self.restore_modes().map_err(PublishError::whole)?;
        self.each(actions, Pass::DirModes)?;
        self.sync()
    }

    /// Notes the passes that an action needs.
    fn note(&mut self, what: &ActionKind) {
        let passes: &[Pass] = match what {
            ActionKind::Dir { .. } => &[Pass::Dirs, Pass::DirModes],
            ActionKind::Symlink { .. } => &[Pass::Ordinary],
            ActionKind::File(file) => &[Pass::of(file.rank)],
            ActionKind::Delete => &[Pass::Deletes],
            ActionKind::Prune | ActionKind::Respell { .. } => &[],
        };
        passes.iter().for_each(|pass| self.later[*pass as usize] = true);
    }

    /// Runs the deletes that were left for pruning.
    pub fn prune(&mut self, actions: &mut dyn Actions) -> Result<(), PublishError> {
        for index in actions.indices().rev() {
            let Some(action) = fetch(actions, index)? else { continue };
            if action.what == ActionKind::Prune {
                self.remove(&action.path).map_err(|source| failed(&action, source))?;
            }
        }
        self.restore_modes().map_err(PublishError::whole)?;
        self.sync()
    }

    /// Makes all that was done so far durable.
    pub(super) fn sync(&mut self) -> Result<(), PublishError> {
        let synced = match self.stage.sync_each {
            true => self.sync_changed(),
            false => sync_file_system(self.work.dir()).and_then(|()| self.areas.sync(self.tree)),
        };
        synced.map_err(PublishError::whole)
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
    pub(super) fn change(
        &mut self,
        path: &RelPath,
        mut change: impl FnMut(&mut Self) -> io::Result<()>,
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
        let mode = Mode::from_raw_mode(rustix::fs::fstat(fd)?.st_mode & 0o7777);
        rustix::fs::fchmod(fd, mode | Mode::WUSR | Mode::XUSR)?;
        if self.opened.iter().all(|(opened, _)| *opened != dir) {
            self.opened.push((dir, mode));
        }
        Ok(())
    }

    /// Restores the permission bits of directories that were made writable, unless the plan sets
    /// others.
    pub(super) fn restore_modes(&mut self) -> io::Result<()> {
        for (dir, mode) in std::mem::take(&mut self.opened) {
            match self.tree.dir(dir.as_ref()) {
                Ok(fd) => rustix::fs::fchmod(fd, mode)?,
                Err(error) if is_no_dir(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Runs a pass over all actions, if it has any to carry out.
    fn each(&mut self, actions: &mut dyn Actions, pass: Pass) -> Result<(), PublishError> {
        if pass != Pass::Respell && !self.later[pass as usize] {
            return Ok(());
        }
        let count = actions.count();
        for nth in 0..count {
            let index = pass.index(nth, count);
            let Some(action) = fetch(actions, index)? else { continue };
            self.progress.begun[pass as usize] = nth + 1;
            let step = &mut Step { actions: &mut *actions, index, action: &action };
            let done = self.step(pass, step);
            done.map_err(|source| {
                self.progress.failed = Some(index);
                failed(&action, source)
            })?;
        }
        Ok(())
    }

    fn step(&mut self, pass: Pass, step: &mut Step<'_>) -> io::Result<()> {
        let (index, action) = (step.index, step.action);
        match (pass, &action.what) {
            (Pass::Respell, what) => {
                self.note(what);
                match what {
                    ActionKind::Respell { to } => self.respell(&action.path, to),
                    _ => Ok(()),
                }
            }
            (_, ActionKind::File(file)) if pass == Pass::of(file.rank) => {
                self.publish_file(step, file)
            }
            (Pass::Dirs, ActionKind::Dir { mode }) => {
                self.check_new(action)?;
                self.change(&action.path, |this| this.make_dir(index, &action.path, *mode))
            }
            (Pass::Ordinary, ActionKind::Symlink { .. }) => {
                self.check_new(action)?;
                let name = link_name(self.stage, index);
                self.put(step, &name)
            }
            (Pass::Deletes, ActionKind::Delete) => self.delete(index, &action.path),
            (Pass::DirModes, ActionKind::Dir { mode }) => self.set_dir_mode(&action.path, *mode),
            _ => Ok(()),
        }
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
    fn respell(&mut self, path: &RelPath, to: &RelPath) -> io::Result<()> {
        self.respelled.insert(to.clone());
        let name = to.file_name();
        if path.file_name() == name {
            return Ok(());
        }
        self.change(path, |this| {
            let parent = this.tree.parent(path)?;
            let (existing, other) =
                (metadata_at(parent, path.file_name())?, metadata_at(parent, name));
            if other.is_ok_and(|other| !is_one(&existing, &other)) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(renameat(parent, path.file_name(), parent, name)?)
        })?;
        self.tree.forget();
        Ok(())
    }

    fn publish_file(&mut self, step: &mut Step<'_>, file: &FileAction) -> io::Result<()> {
        let action = step.action;
        self.check_new(action)?;
        match (&file.recipe, &file.digest) {
            (Recipe::Keep, _) => Ok(()),
            (Recipe::Touch, _) => self.tree.touch(&action.path, file.mode, Some(file.mtime)),
            (_, Some(digest)) => {
                let name = self.stage.name(digest, step.index);
                self.put(step, &name)
            }
            (_, None) => Err(io::Error::other("file without a digest")),
        }
    }

    /// Only the owner can set a directory's permission bits, and no content depends on them:
    /// another user's directory keeps its own, with a notice.
    fn set_dir_mode(&mut self, path: &RelPath, mode: u32) -> io::Result<()> {
        match self.tree.touch(path, mode, None) {
            Err(error) if self.is_others(path, &error) => {
                let text = format!("{path} belongs to another user and keeps its permission bits");
                self.notices.push(text);
                Ok(())
            }
            done => done,
        }
    }

    pub(super) fn is_others(&mut self, path: &RelPath, error: &io::Error) -> bool {
        let me = rustix::process::geteuid();
        let owner = self.tree.dir(Some(path)).and_then(|dir| Ok(rustix::fs::fstat(dir)?.st_uid));
        error.kind() == io::ErrorKind::PermissionDenied
            && !me.is_root()
            && owner.is_ok_and(|owner| owner != me.as_raw())
    }
}

/// The name of a staged symlink.
pub(super) fn link_name(stage: &StagingArea<'_>, index: ActionIndex) -> String {
    stage.temporary_name("link", index.number())
}

fn fetch(actions: &mut dyn Actions, index: ActionIndex) -> Result<Option<Action>, PublishError> {
    actions.action(index).map_err(PublishError::whole)
}

fn failed(action: &Action, source: io::Error) -> PublishError {
    PublishError { path: action.path.to_string(), source }
}
