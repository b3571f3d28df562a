//! Publishes over SFTP: renames what is staged into place, in the order of [`PublishOrder`].

use assetsync_core::entry::{CARRIED_MODE, Kind};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, Plan};
use assetsync_core::recipe::Recipe;
use assetsync_core::state::State;
use assetsync_ssh::sftp::{SftpError, SftpErrorKind};

use super::host::{SftpHost, ignore_missing};
use super::links::Links;
use super::publish_order::{Delete, NewDir, PublishOrder};
use super::staging_dir::StagingDir;
use super::{aliases, links, names};
use crate::error::PushError;

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

    /// Publishes everything.
    pub fn publish(&mut self, steps: &PublishOrder) -> std::result::Result<(), PushError> {
        self.stage.check_held(self.remote)?;
        if (0..self.plan.actions.len() as u32).any(|at| self.standing_link(at).is_some()) {
            self.links = links::probe(self.remote, self.stage)?;
        }
        self.each(&steps.respelled, |this, at| this.respell(*at))?;
        self.each(&steps.directories, |this, step| this.make_dir(*step))?;
        self.each(&steps.ordinary, |this, at| this.place(*at))?;
        self.each(&steps.entry_points, |this, at| this.place(*at))?;
        if !steps.deletes.is_empty() {
            self.stage.check_held(self.remote)?;
            aliases::check_listed(self.remote, self.root, self.plan, steps)?;
        }
        self.each(&steps.deletes, |this, step| this.delete(*step))?;
        self.each(&steps.modes, |this, at| this.set_mode(*at))
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

    fn action(&self, at: u32) -> Option<&'p Action> {
        self.plan.actions.get(at as usize)
    }

    fn at(&self, path: &RelPath) -> Vec<u8> {
        names::below(self.root, path)
    }

    /// Renames an existing path to the source's spelling. It is left as it is if that can't be done
    /// in one step, and if it is a link on a server whose renames may follow links.
    fn respell(&mut self, at: u32) -> Result<()> {
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

    fn make_dir(&mut self, step: NewDir) -> Result<()> {
        let Some(Action { path, what: ActionKind::Dir { mode }, .. }) = self.action(step.at) else {
            return Ok(());
        };
        let path = self.at(path);
        // The owner must be able to write into it; the last step sets the planned mode.
        let mode = (mode & CARRIED_MODE) | 0o700;
        if let Some(target) = self.removed_link(step.at) {
            return self
                .instead_of_link(&path, target, |this| this.remote.session.mkdir(&path, mode));
        }
        let retained_contents = if step.replaces { Some(self.move_aside(&path)?) } else { None };
        let made = self.remote.session.mkdir(&path, mode);
        self.restore_on_error(made, retained_contents, &path)
    }

    fn place(&mut self, at: u32) -> Result<()> {
        let Some(action) = self.action(at) else { return Ok(()) };
        let path = self.at(&action.path);
        match &action.what {
            ActionKind::File(FileAction { recipe: Recipe::Touch, mode, mtime, .. }) => {
                let (mode, mtime) = (mode & CARRIED_MODE, names::seconds(*mtime));
                self.remote.session.set_attributes(&path, Some(mode), Some(mtime))
            }
            _ => {
                let staged = self.stage.path(&names::staged(at));
                match self.removed_link(at) {
                    Some(target) => self.instead_of_link(&path, target, |this| {
                        this.remote.session.rename(&staged, &path)
                    }),
                    None => self.put(&staged, &path),
                }
            }
        }
    }

    /// The text of the symbolic link at the path of an action.
    fn standing_link(&self, at: u32) -> Option<&'p [u8]> {
        match &self.state.entries.get(self.action(at)?.known? as usize)?.entry.kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
    }

    /// The text of the symbolic link at the path of an action, if this server's renames may follow
    /// links.
    fn removed_link(&self, at: u32) -> Option<&'p [u8]> {
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
            && let Err(error) = self.remote.session.symlink(target, path)
        {
            self.remote.notice(&format!("Can't put back the link that was removed: {error}"));
        }
        done
    }

    /// Renames a staged file to `path`. If that can't be done in one step, because a directory is
    /// there or the server can't rename atomically, what is there is moved aside first.
    fn put(&mut self, staged: &[u8], path: &[u8]) -> Result<()> {
        let refused = match self.remote.session.rename(staged, path) {
            Err(error) if error.kind == SftpErrorKind::TargetExists => error,
            Err(error) if error.kind == SftpErrorKind::Failure && self.is_dir(path) => error,
            other => return other,
        };
        let retained_contents = self.move_aside(path).map_err(|_| refused)?;
        let placed = self.remote.session.rename(staged, path);
        self.restore_on_error(placed, Some(retained_contents), path)
    }

    fn is_dir(&mut self, path: &[u8]) -> bool {
        self.remote.session.lstat(path).is_ok_and(|attributes| attributes.is_dir())
    }

    /// Moves what is at `path` into the staging directory, where it is removed at the end.
    fn move_aside(&mut self, path: &[u8]) -> Result<Vec<u8>> {
        self.moved_aside += 1;
        let retained_contents = self.stage.path(&names::retained_contents(self.moved_aside));
        self.remote.session.rename(path, &retained_contents).map(|()| retained_contents)
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

    fn delete(&mut self, step: Delete) -> Result<()> {
        let Some(action) = self.action(step.at) else { return Ok(()) };
        let path = self.at(&action.path);
        if !step.is_dir {
            return ignore_missing(self.remote.session.remove(&path));
        }
        match ignore_missing(self.remote.session.rmdir(&path)) {
            // Another process created something there meanwhile, or a filter protects it.
            Err(error) if error.kind == SftpErrorKind::Failure && self.has_content(&path) => {
                self.remote.notice(&format!("{} is not empty and stays", action.path));
                Ok(())
            }
            other => other,
        }
    }

    fn has_content(&mut self, path: &[u8]) -> bool {
        self.remote.session.read_dir(path).is_ok_and(|listed| !listed.is_empty())
    }

    fn set_mode(&mut self, at: u32) -> Result<()> {
        let Some(Action { path, what: ActionKind::Dir { mode }, .. }) = self.action(at) else {
            return Ok(());
        };
        let path = self.at(path);
        self.remote.session.set_attributes(&path, Some(mode & CARRIED_MODE), None)
    }
}
