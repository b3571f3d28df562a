//! Publishes over SFTP: renames what is staged into place, in the order of [`PublishOrder`].

mod deletes;

use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::FailureCode;
use assetsync_core::recipe::Recipe;
use assetsync_core::state::State;
use assetsync_ssh::sftp::{Change, SftpError, SftpErrorKind};

use super::host::{self, SftpHost, ignore_missing};
use super::kept_attributes::{KeptAttributes, Wanted};
use super::links::Links;
use super::publish_order::{NewDir, PublishOrder};
use super::staging_dir::StagingDir;
use super::{aliases, links, names, upload};
use crate::error::PushError;

/// Files that are replaced together on a server that can't replace them by renaming.
const TOGETHER: usize = 64;

type Result<T> = std::result::Result<T, SftpError>;

/// Publishes a staged plan.
pub struct Publisher<'p, 'a> {
    remote: &'p mut SftpHost<'a>,
    stage: &'p StagingDir,
    root: &'p [u8],
    plan: &'p Plan,
    state: &'p State,
    moved_aside: u32,
    links: Links,
}

impl<'p, 'a> Publisher<'p, 'a> {
    /// A publisher into the destination at `root`.
    pub fn new(
        remote: &'p mut SftpHost<'a>,
        stage: &'p StagingDir,
        root: &'p [u8],
        plan: &'p Plan,
        state: &'p State,
    ) -> Publisher<'p, 'a> {
        let links = Links::Removed;
        Publisher { remote, stage, root, plan, state, moved_aside: 0, links }
    }

    /// Publishes everything, and adds what the server does not set to `kept`.
    pub fn publish(
        &mut self,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> std::result::Result<(), PushError> {
        self.stage.check_held(self.remote)?;
        self.open_dirs(steps)?;
        if self.plan.indices().any(|at| self.standing_link(at).is_some()) {
            self.links = links::probe(self.remote, self.stage)?;
        }
        self.each(&steps.respelled, |this, at| this.respell(*at))?;
        for level in &steps.directories {
            self.make_dirs(level).map_err(|error| self.explain(&error))?;
        }
        for group in &steps.files {
            self.place_all(group).map_err(|error| self.explain(&error))?;
            self.touch(group, kept).map_err(|error| self.explain(&error))?;
        }
        if !steps.deletes.is_empty() {
            self.stage.check_held(self.remote)?;
            aliases::check_listed(self.remote, self.root, self.plan, steps)?;
        }
        self.delete_all(steps)?;
        self.set_dir_modes(steps, kept).map_err(|error| self.explain(&error))?;
        self.close_dirs(steps).map_err(|error| self.explain(&error))
    }

    fn each<T>(
        &mut self,
        steps: &[T],
        step: impl Fn(&mut Self, &T) -> Result<()>,
    ) -> std::result::Result<(), PushError> {
        for item in steps {
            if let Err(error) = step(self, item) {
                return Err(self.explain(&error));
            }
        }
        Ok(())
    }

    /// Makes directories writable in which something changes, before anything else does.
    fn open_dirs(&mut self, steps: &PublishOrder) -> std::result::Result<(), PushError> {
        let changes = self.dir_modes(steps, |mode| mode | 0o700);
        let done = self.remote.session.change_all(&changes);
        let done = done.map_err(|error| self.remote.refused(&error))?;
        match done.into_iter().find_map(std::result::Result::err) {
            None => Ok(()),
            Some(error) if host::is_refusal(&error) => {
                let text = format!(
                    "it is read-only, and the server does not make it writable ({}); nothing was \
                     changed",
                    error.detail
                );
                let path = error.path.as_bytes();
                Err(self.remote.fail(FailureCode::Permission, path, &text))
            }
            Some(error) => Err(self.remote.refused(&error)),
        }
    }

    /// Gives them their modes back. Those that are gone or have another planned mode are not here.
    fn close_dirs(&mut self, steps: &PublishOrder) -> Result<()> {
        let closed = PublishOrder { opened: steps.closed.clone(), ..PublishOrder::default() };
        let changes = self.dir_modes(&closed, |mode| mode);
        for done in self.remote.session.change_all(&changes)? {
            ignore_missing(done)?;
        }
        Ok(())
    }

    fn dir_modes(&self, steps: &PublishOrder, mode: impl Fn(u32) -> u32) -> Vec<Change> {
        let opened = steps.opened.iter().filter_map(|&at| at.of(&self.state.entries));
        let change = |entry: &Entry| Change::SetAttributes {
            path: self.at(&entry.path),
            mode: Some(mode(entry.mode)),
            mtime: None,
        };
        opened.map(|remote| change(&remote.entry)).collect()
    }

    /// Adds to the error whether another run is the reason, and the state the destination is in.
    fn explain(&mut self, error: &SftpError) -> PushError {
        let reason = match error.kind {
            SftpErrorKind::NotFound => self.stage.check_held(self.remote).err(),
            _ => None,
        };
        match reason.unwrap_or_else(|| self.remote.refused_write(error, self.root, 0)) {
            PushError::Agent(mut failure) => {
                failure.text +=
                    "; what was published before stays, every path is whole, run the push again";
                PushError::Agent(failure)
            }
            other => other,
        }
    }

    fn action(&self, at: ActionIndex) -> Option<&'p Action> {
        at.of(&self.plan.actions)
    }

    fn at(&self, path: &RelPath) -> Vec<u8> {
        names::below(self.root, path)
    }

    /// Renames an existing path to the source's spelling. It is left as it is if that can't be done
    /// in one step, and if it is a link on a server whose renames may follow links.
    fn respell(&mut self, at: ActionIndex) -> Result<()> {
        let Some(Action { path, what: ActionKind::Respell { to }, .. }) = self.action(at) else {
            return Ok(());
        };
        if path.file_name() == to.file_name()
            || !self.remote.session.renames_atomically()
            || self.removed_link(at).is_some()
        {
            return Ok(());
        }
        let dir = path.parent().map_or_else(|| self.root.to_vec(), |dir| self.at(&dir));
        let (from, to) = (self.at(path), names::join(&dir, to.file_name()));
        match self.remote.session.rename(&from, &to) {
            Err(error) if error.kind == SftpErrorKind::Lost => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes directories of one depth.
    fn make_dirs(&mut self, level: &[NewDir]) -> Result<()> {
        let (replacing, new): (Vec<_>, Vec<_>) = level.iter().partition(|step| step.replaces);
        let change = |step: &NewDir| match self.action(step.at) {
            Some(Action { path, what: ActionKind::Dir { mode }, .. }) => {
                // The owner must be able to write into it; a later step sets the planned mode.
                Some(Change::Mkdir { path: self.at(path), mode: (mode & CARRIED_MODE) | 0o700 })
            }
            _ => None,
        };
        let changes: Vec<Change> = new.iter().filter_map(change).collect();
        for done in self.remote.session.change_all(&changes)? {
            done?;
        }
        replacing.into_iter().try_for_each(|step| self.make_dir(step))
    }

    fn make_dir(&mut self, step: NewDir) -> Result<()> {
        let Some(Action { path, what: ActionKind::Dir { mode }, .. }) = self.action(step.at) else {
            return Ok(());
        };
        let path = self.at(path);
        let mode = (mode & CARRIED_MODE) | 0o700;
        if let Some(target) = self.removed_link(step.at) {
            return self
                .instead_of_link(&path, target, |this| this.remote.session.mkdir(&path, mode));
        }
        let retained_contents = if step.replaces { Some(self.move_aside(&path)?) } else { None };
        let made = self.remote.session.mkdir(&path, mode);
        self.restore_on_error(made, retained_contents, &path)
    }

    /// Publishes files and links that do not depend on each other. What can't be renamed into place
    /// is published after what stands there is moved aside.
    fn place_all(&mut self, which: &[ActionIndex]) -> Result<()> {
        let staged: Vec<ActionIndex> =
            which.iter().copied().filter(|&at| self.is_staged(at)).collect();
        let (links, others): (Vec<ActionIndex>, Vec<ActionIndex>) =
            staged.into_iter().partition(|&at| self.removed_link(at).is_some());
        let renames: Vec<Change> = others.iter().filter_map(|&at| self.rename_of(at)).collect();
        let mut refused = Vec::new();
        let results = self.remote.session.change_all(&renames)?;
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
        let aside: Vec<Vec<u8>> = paths.iter().map(|_| self.next_aside()).collect();
        let moves = paths.iter().zip(&aside);
        let moves: Vec<Change> = moves.map(|(from, to)| rename(from, to)).collect();
        let moved = self.remote.session.change_all(&moves)?;
        let renames = refused.iter().map(|(rename, _)| rename);
        let renames: Vec<Change> = match moved.iter().all(std::result::Result::is_ok) {
            true => renames.cloned().collect(),
            false => Vec::new(),
        };
        let placed = self.remote.session.change_all(&renames)?;
        let mut placed = placed.into_iter();
        let mut failed = None;
        for (at, (moved, (_, error))) in moved.iter().zip(refused).enumerate() {
            let done = placed.next().unwrap_or_else(|| Err(error.clone()));
            let aside = moved.is_ok().then(|| aside[at].clone());
            failed = failed.or(self.restore_on_error(done, aside, paths[at]).err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// Whether an action's content is in the staging area.
    fn is_staged(&self, at: ActionIndex) -> bool {
        self.action(at).is_some_and(|action| match action.file() {
            Some(file) => file.recipe != Recipe::Touch,
            None => true,
        })
    }

    fn rename_of(&self, at: ActionIndex) -> Option<Change> {
        let to = self.at(&self.action(at)?.path);
        Some(rename(&self.stage.path(&names::staged(at)), &to))
    }

    /// Sets modes and times of files whose content stays.
    fn touch(&mut self, which: &[ActionIndex], kept: &mut KeptAttributes) -> Result<()> {
        let touched = which.iter().filter(|&&at| !self.is_staged(at));
        let wanted = touched.filter_map(|&at| {
            let action = self.action(at)?;
            Some(upload::wanted(&action.path, action.file()?, self.at(&action.path)))
        });
        let wanted: Vec<Wanted> = wanted.collect();
        kept.set(self.remote, &wanted)
    }

    fn place_instead_of_link(&mut self, at: ActionIndex) -> Result<()> {
        let Some(action) = self.action(at) else { return Ok(()) };
        let Some(target) = self.removed_link(at) else { return Ok(()) };
        let (path, staged) = (self.at(&action.path), self.stage.path(&names::staged(at)));
        self.instead_of_link(&path, target, |this| this.remote.session.rename(&staged, &path))
    }

    /// The text of the symbolic link at the path of an action.
    fn standing_link(&self, at: ActionIndex) -> Option<&'p [u8]> {
        match &self.action(at)?.known?.of(&self.state.entries)?.entry.kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
    }

    /// The text of the symbolic link at the path of an action, if this server's renames may follow
    /// links.
    fn removed_link(&self, at: ActionIndex) -> Option<&'p [u8]> {
        self.standing_link(at).filter(|_| self.links == Links::Removed)
    }

    /// Removes the link to `target` at `path` and creates something there. If that fails, the link
    /// is restored.
    fn instead_of_link(
        &mut self,
        path: &[u8],
        target: &[u8],
        put: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.remote.session.remove(path)?;
        let done = put(self);
        if done.is_err()
            && !target.is_empty()
            && let Err(error) = self.remote.session.symlink(target, path)
        {
            self.remote.notice(&format!("Can't put back the link that was removed: {error}"));
        }
        done
    }

    /// Moves what is at `path` into the staging directory, where it is removed at the end.
    fn move_aside(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        let retained_contents = self.next_aside();
        self.remote.session.rename(path, &retained_contents).map(|()| retained_contents)
    }

    /// A new path for something that is moved aside.
    fn next_aside(&mut self) -> Vec<u8> {
        self.moved_aside += 1;
        self.stage.path(&names::retained_contents(self.moved_aside))
    }

    /// After a failure, what was moved aside is moved back before the error is returned.
    fn restore_on_error(
        &mut self,
        done: Result<()>,
        retained_contents: Option<Vec<u8>>,
        path: &[u8],
    ) -> Result<()> {
        if let (Err(_), Some(retained_contents)) = (&done, retained_contents)
            && let Err(error) = self.remote.session.rename(&retained_contents, path)
        {
            self.remote.notice(&format!("Can't put back what was moved aside: {error}"));
        }
        done
    }

    fn set_dir_modes(&mut self, steps: &PublishOrder, kept: &mut KeptAttributes) -> Result<()> {
        let wanted = |&at: &ActionIndex| match self.action(at) {
            Some(Action { path, what: ActionKind::Dir { mode }, .. }) => {
                let (at, mode) = (self.at(path), mode & CARRIED_MODE);
                Some(Wanted { path: path.clone(), at, mode, mtime: None })
            }
            _ => None,
        };
        let wanted = steps.modes.iter().filter_map(wanted).collect();
        kept.set_dirs(self.remote, wanted)
    }
}

fn rename(from: &[u8], to: &[u8]) -> Change {
    Change::Rename { from: from.to_vec(), to: to.to_vec() }
}

/// Where a rename leads.
fn target(rename: &Change) -> &[u8] {
    match rename {
        Change::Rename { to, .. } => to,
        _ => b"",
    }
}
