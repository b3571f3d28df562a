//! Makes directories, and puts staged files and links into place.

use assetsync_core::entry::{CARRIED_MODE, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::recipe::Recipe;
use assetsync_ssh::sftp::{Change, SftpError};

use super::{Publisher, Result};
use crate::sftp::host;
use crate::sftp::links::Links;
use crate::sftp::names;
use crate::sftp::publish_order::{NewDir, PublishOrder};

/// Files that are replaced together on a server that can't replace them by renaming.
const TOGETHER: usize = 64;

impl<'p> Publisher<'p, '_> {
    /// Gives the files that will be replaced a second name in the staging directory, so that they
    /// can be put back. A server that replaces nothing by renaming needs none: there, they are
    /// moved.
    pub(super) fn keep_replaced(&mut self, steps: &PublishOrder) -> Result<()> {
        if !self.remote.session.renames_atomically() || !self.remote.session.links_files() {
            return Ok(());
        }
        let replaced = steps.files.iter().flatten().copied();
        let replaced: Vec<ActionIndex> = replaced.filter(|&at| self.replaces_file(at)).collect();
        let keep = |&at: &ActionIndex| {
            let from = self.at(&self.action(at)?.path);
            Some(Change::HardLink { from, to: self.stage.path(&names::kept(at)) })
        };
        let keeps: Vec<Change> = replaced.iter().filter_map(keep).collect();
        for (at, kept) in replaced.into_iter().zip(self.remote.session.change_all(&keeps)?) {
            if kept.is_ok() {
                self.made.second_names.insert(at);
            }
        }
        Ok(())
    }

    /// Removes the second names. What stays is removed with the staging directory.
    pub(super) fn remove_kept(&mut self) -> Result<()> {
        let remove = |&at: &ActionIndex| Change::Remove { path: self.stage.path(&names::kept(at)) };
        let removes: Vec<Change> = self.made.second_names.iter().map(remove).collect();
        self.remote.session.change_all(&removes).map(drop)
    }

    /// Makes directories of one depth.
    pub(super) fn make_dirs(&mut self, level: &[NewDir]) -> Result<()> {
        let (replacing, new): (Vec<_>, Vec<_>) = level.iter().partition(|step| step.replaces);
        let changes: Vec<Change> =
            new.iter().filter_map(|step: &&NewDir| self.mkdir_of(step.at)).collect();
        self.all(&changes, |path| Some(Change::Rmdir { path }))?;
        replacing.into_iter().try_for_each(|step| self.make_dir_instead(step.at))
    }

    /// The owner must be able to write into a new directory; a later step sets the planned mode.
    fn mkdir_of(&self, at: ActionIndex) -> Option<Change> {
        match self.action(at)? {
            Action { path, what: ActionKind::Dir { mode }, .. } => {
                let mode = (mode & CARRIED_MODE) | 0o700;
                Some(Change::Mkdir { path: self.at(path), mode })
            }
            _ => None,
        }
    }

    /// Makes a directory where a file or a link is.
    fn make_dir_instead(&mut self, at: ActionIndex) -> Result<()> {
        let Some(Change::Mkdir { path, mode }) = self.mkdir_of(at) else { return Ok(()) };
        match self.removed_link(at) {
            Some(target) => self.remove_link(&path, target)?,
            None => self.move_aside(&[&path])?,
        }
        self.all(&[Change::Mkdir { path, mode }], |path| Some(Change::Rmdir { path }))
    }

    /// Publishes files and links that do not depend on each other. What can't be renamed into place
    /// is published after what stands there is moved aside.
    pub(super) fn place_all(&mut self, which: &[ActionIndex]) -> Result<()> {
        let staged = which.iter().copied().filter(|&at| self.is_staged(at));
        let (links, others): (Vec<ActionIndex>, Vec<ActionIndex>) =
            staged.partition(|&at| self.removed_link(at).is_some());
        let renames: Vec<Change> = others.iter().filter_map(|&at| self.rename_of(at)).collect();
        let results = self.remote.session.change_all(&renames)?;
        self.undo_renames(&others, &results);
        let mut refused = Vec::new();
        for (rename, done) in renames.into_iter().zip(results) {
            match done {
                Err(error) if host::is_refusal(&error) => refused.push((rename, error)),
                done => done?,
            }
        }
        for group in refused.chunks(TOGETHER) {
            self.replace(group)?;
        }
        links.into_iter().try_for_each(|at| self.place_instead_of_link(at))
    }

    /// Adds what undoes those of the renames that were made.
    fn undo_renames(&mut self, which: &[ActionIndex], results: &[Result<()>]) {
        let (mut restored, mut removed) = (Vec::new(), Vec::new());
        for (&at, _) in which.iter().zip(results).filter(|(_, done)| done.is_ok()) {
            let Some(action) = self.action(at) else { continue };
            let path = self.at(&action.path);
            if self.made.second_names.contains(&at) {
                restored.push(Change::Rename { from: self.stage.path(&names::kept(at)), to: path });
                continue;
            }
            match self.existing(at).map(|entry| &entry.kind) {
                None => removed.push(Change::Remove { path }),
                Some(Kind::Symlink { target }) => {
                    let link = Change::Symlink { target: target.clone(), path: path.clone() };
                    restored.push(link);
                    removed.push(Change::Remove { path });
                }
                Some(_) => self.made.undo.lose(path),
            }
        }
        self.made.undo.add(restored);
        self.made.undo.add(removed);
    }

    /// Makes renames that were refused because something stands there which the server can't
    /// replace: it is moved aside first. Both are not under way together, because a server may make
    /// changes in any order.
    fn replace(&mut self, refused: &[(Change, SftpError)]) -> Result<()> {
        let replaces_files = self.remote.session.renames_atomically();
        let paths: Vec<&[u8]> = refused.iter().map(|(rename, _)| target(rename)).collect();
        let standing = self.remote.session.lstat_all(&paths)?;
        for (standing, (_, error)) in standing.iter().zip(refused) {
            let stands =
                standing.as_ref().is_ok_and(|standing| standing.is_dir() || !replaces_files);
            if !stands {
                return Err(error.clone());
            }
        }
        self.move_aside(&paths)?;
        let renames: Vec<Change> = refused.iter().map(|(rename, _)| rename.clone()).collect();
        self.all(&renames, |path| Some(Change::Remove { path }))
    }

    /// Whether an action's content is in the staging area.
    pub(super) fn is_staged(&self, at: ActionIndex) -> bool {
        self.action(at).is_some_and(|action| match action.file() {
            Some(file) => file.recipe != Recipe::Touch,
            None => true,
        })
    }

    /// Whether an action puts a staged file or link where a file is.
    fn replaces_file(&self, at: ActionIndex) -> bool {
        self.is_staged(at)
            && self.existing(at).is_some_and(|entry| matches!(entry.kind, Kind::File { .. }))
    }

    fn rename_of(&self, at: ActionIndex) -> Option<Change> {
        let to = self.at(&self.action(at)?.path);
        Some(Change::Rename { from: self.stage.path(&names::staged(at)), to })
    }

    fn place_instead_of_link(&mut self, at: ActionIndex) -> Result<()> {
        let (Some(rename), Some(text)) = (self.rename_of(at), self.removed_link(at)) else {
            return Ok(());
        };
        self.remove_link(target(&rename), text)?;
        self.all(&[rename], |path| Some(Change::Remove { path }))
    }

    /// The text of the symbolic link at the path of an action, if this server's renames may follow
    /// links.
    pub(super) fn removed_link(&self, at: ActionIndex) -> Option<&'p [u8]> {
        self.standing_link(at).filter(|_| self.made.links == Links::Removed)
    }

    /// Removes the link with the text `target` at `path`.
    fn remove_link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        // A server that does not tell the text of a link can't be asked to make it again.
        let link = Change::Symlink { target: target.to_vec(), path: path.to_vec() };
        let undo = (!target.is_empty()).then_some(link);
        self.all(&[Change::Remove { path: path.to_vec() }], |_| undo.clone())
    }

    /// Moves what is at these paths into the staging directory, where it is removed at the end.
    fn move_aside(&mut self, paths: &[&[u8]]) -> Result<()> {
        let mut moves = Vec::new();
        for path in paths {
            self.made.moved_aside += 1;
            let to = self.stage.path(&names::retained_contents(self.made.moved_aside));
            moves.push(Change::Rename { from: path.to_vec(), to });
        }
        let done = self.remote.session.change_all(&moves)?;
        let back = moves.into_iter().zip(&done).filter_map(|(moved, done)| match moved {
            Change::Rename { from, to } if done.is_ok() => {
                Some(Change::Rename { from: to, to: from })
            }
            _ => None,
        });
        self.made.undo.add(back);
        done.into_iter().collect()
    }

    /// Makes changes that do not depend on each other, and adds what undoes those that were made.
    /// The first refusal is the error, once all are tried.
    pub(super) fn all(
        &mut self,
        changes: &[Change],
        undo: impl Fn(Vec<u8>) -> Option<Change>,
    ) -> Result<()> {
        let done = self.remote.session.change_all(changes)?;
        let made = changes.iter().zip(&done).filter(|(_, done)| done.is_ok());
        self.made.undo.add(made.filter_map(|(change, _)| undo(target(change).to_vec())));
        done.into_iter().collect()
    }
}

/// The path that something has after a change.
fn target(change: &Change) -> &[u8] {
    match change {
        Change::Rename { to, .. } | Change::HardLink { to, .. } => to,
        Change::Mkdir { path, .. }
        | Change::Rmdir { path }
        | Change::Remove { path }
        | Change::Symlink { path, .. }
        | Change::SetAttributes { path, .. } => path,
    }
}
