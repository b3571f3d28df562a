//! Publishes over SFTP: renames what is staged into place, in the order of [`PublishOrder`].

mod deletes;
mod place;
mod undo;

use std::collections::BTreeSet;

use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::index::{ActionIndex, EntryIndex};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::{Failure, FailureCode};
use assetsync_core::state::State;
use assetsync_ssh::sftp::{Change, SftpError, SftpErrorKind};

use self::undo::Undo;
use super::host::{self, SftpHost, ignore_missing};
use super::kept_attributes::{KeptAttributes, Wanted};
use super::links::Links;
use super::publish_order::PublishOrder;
use super::staging_dir::StagingDir;
use super::{aliases, links, names, upload};
use crate::error::PushError;

type Result<T> = std::result::Result<T, SftpError>;

/// Publishes a staged plan.
pub struct Publisher<'p, 'a> {
    remote: &'p mut SftpHost<'a>,
    stage: &'p StagingDir,
    root: &'p [u8],
    plan: &'p Plan,
    state: &'p State,
    made: Made,
}

/// What was made live so far, and what takes it back.
#[derive(Debug, Default)]
pub struct Made {
    moved_aside: u32,
    links: Links,
    /// Actions that replace a file which has a second name in the staging directory.
    second_names: BTreeSet<ActionIndex>,
    undo: Undo,
}

impl<'p, 'a> Publisher<'p, 'a> {
    /// A publisher from a staging directory into the destination at `root`, where this much is
    /// made already.
    pub fn new(
        remote: &'p mut SftpHost<'a>,
        (stage, root): (&'p StagingDir, &'p [u8]),
        plan: &'p Plan,
        state: &'p State,
        made: Made,
    ) -> Publisher<'p, 'a> {
        Publisher { remote, stage, root, plan, state, made }
    }

    /// What was made live.
    pub fn into_made(self) -> Made {
        self.made
    }

    /// Makes everything new live, and adds what the server does not set to `kept`. What fails is
    /// taken back.
    pub fn publish(
        &mut self,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> std::result::Result<(), PushError> {
        self.stage.check_held(self.remote)?;
        self.make_live(steps, kept).map_err(|error| self.take_back(error))
    }

    /// Deletes what shall go, once everything new is live. From here on nothing is taken back.
    pub fn complete(
        &mut self,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> std::result::Result<(), PushError> {
        if !steps.deletes.is_empty() {
            self.stage.check_held(self.remote)?;
            aliases::check_listed(self.remote, self.root, self.plan, steps)?;
        }
        self.delete_all(steps)?;
        self.remove_kept().map_err(|error| self.live(&error))?;
        self.set_dir_modes(steps, kept).map_err(|error| self.live(&error))?;
        self.close_dirs(steps).map_err(|error| self.live(&error))
    }

    fn make_live(
        &mut self,
        steps: &PublishOrder,
        kept: &mut KeptAttributes,
    ) -> std::result::Result<(), PushError> {
        self.open_dirs(steps)?;
        if self.plan.indices().any(|at| self.standing_link(at).is_some()) {
            self.made.links = links::probe(self.remote, self.stage)?;
        }
        self.place(steps, kept).map_err(|error| self.failed(&error))
    }

    fn place(&mut self, steps: &PublishOrder, kept: &mut KeptAttributes) -> Result<()> {
        self.keep_replaced(steps)?;
        steps.respelled.iter().try_for_each(|at| self.respell(*at))?;
        steps.directories.iter().try_for_each(|level| self.make_dirs(level))?;
        for group in &steps.files {
            self.place_all(group)?;
            self.touch(group, kept)?;
        }
        Ok(())
    }

    /// Makes directories writable in which something changes, before anything else does.
    fn open_dirs(&mut self, steps: &PublishOrder) -> std::result::Result<(), PushError> {
        let changes = self.dir_modes(&steps.opened, |mode| mode | 0o700);
        let done = self.remote.session.change_all(&changes);
        let done = done.map_err(|error| self.remote.refused(&error))?;
        let modes = self.dir_modes(&steps.opened, |mode| mode).into_iter().zip(&done);
        self.made.undo.add(modes.filter(|(_, done)| done.is_ok()).map(|(mode, _)| mode));
        match done.into_iter().find_map(std::result::Result::err) {
            None => Ok(()),
            Some(error) if host::is_refusal(&error) => {
                let detail = &error.detail;
                let text =
                    format!("it is read-only, and the server does not make it writable ({detail})");
                let path = error.path.as_bytes();
                Err(self.remote.fail(FailureCode::Permission, path, &text))
            }
            Some(error) => Err(self.remote.refused(&error)),
        }
    }

    /// Gives them their modes back. Those that are gone or have another planned mode are not here.
    fn close_dirs(&mut self, steps: &PublishOrder) -> Result<()> {
        let changes = self.dir_modes(&steps.closed, |mode| mode);
        for done in self.remote.session.change_all(&changes)? {
            ignore_missing(done)?;
        }
        Ok(())
    }

    fn dir_modes(&self, dirs: &[EntryIndex], mode: impl Fn(u32) -> u32) -> Vec<Change> {
        let opened = dirs.iter().filter_map(|&at| at.of(&self.state.entries));
        let change = |entry: &Entry| Change::SetAttributes {
            path: self.at(&entry.path),
            mode: Some(mode(entry.mode)),
            mtime: None,
        };
        opened.map(|remote| change(&remote.entry)).collect()
    }

    /// The error, which may be that another run has removed what was staged.
    fn failed(&mut self, error: &SftpError) -> PushError {
        let reason = match error.kind {
            SftpErrorKind::NotFound => self.stage.check_held(self.remote).err(),
            _ => None,
        };
        reason.unwrap_or_else(|| match self.remote.refused_write(error, self.root, 0) {
            PushError::NoRoom { .. } => {
                self.remote.fail(FailureCode::NoSpace, self.root, "the disk is full")
            }
            refused => refused,
        })
    }

    /// The error after everything new is published.
    fn live(&mut self, error: &SftpError) -> PushError {
        let error = self.failed(error);
        with_text(error, "; the new files are live, run the push again to complete it")
    }

    /// Puts everything back as it was, and says so in the error. Where another push has taken over,
    /// that one publishes.
    fn take_back(&mut self, error: PushError) -> PushError {
        let whole = "; what was published before stays, every path is whole, run the push again";
        match &error {
            PushError::Closed(_) => return error,
            PushError::Agent(failure) if failure.code == FailureCode::Locked => {
                return with_text(error, whole);
            }
            _ => {}
        }
        let undo = std::mem::take(&mut self.made.undo);
        if undo.is_empty() {
            return with_text(error, "; nothing was changed");
        }
        let put_back = "; everything that was published before is put back, so nothing changed";
        match undo.run(self.remote) {
            Err(_) => mixed(with_text(error, whole)),
            Ok(stuck) if stuck.is_empty() => with_text(error, put_back),
            Ok(stuck) => mixed(with_text(
                error,
                &format!(
                    "; what was published before is put back, except {}: all else is as it was; \
                     run the push again to complete it",
                    stuck.join(", ")
                ),
            )),
        }
    }

    /// Puts everything back that was made live.
    pub fn undo_all(&mut self) -> std::result::Result<(), PushError> {
        self.stage.check_held(self.remote)?;
        let stuck = std::mem::take(&mut self.made.undo).run(self.remote);
        let stuck = stuck.map_err(|error| self.remote.refused(&error))?;
        match stuck.is_empty() {
            true => Ok(()),
            false => Err(self.remote.fail(
                FailureCode::Mixed,
                self.root,
                &format!(
                    "it is put back as it was, except {}; run the deploy again to complete it",
                    stuck.join(", ")
                ),
            )),
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
            Ok(()) => self.made.undo.add([Change::Rename { from: to, to: from }]),
            Err(error) if error.kind == SftpErrorKind::Lost => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }

    /// Sets modes and times of files whose content stays.
    fn touch(&mut self, which: &[ActionIndex], kept: &mut KeptAttributes) -> Result<()> {
        let touched = which.iter().copied().filter(|&at| !self.is_staged(at));
        let touched: Vec<ActionIndex> = touched.collect();
        let wanted = |&at: &ActionIndex| {
            let action = self.action(at)?;
            Some(upload::wanted(&action.path, action.file()?, self.at(&action.path)))
        };
        let wanted: Vec<Wanted> = touched.iter().filter_map(wanted).collect();
        let before = |&at: &ActionIndex| {
            let entry = self.existing(at)?;
            let (mode, mtime) = (Some(entry.mode), Some(names::seconds(entry.mtime)));
            Some(Change::SetAttributes { path: self.at(&entry.path), mode, mtime })
        };
        let before: Vec<Change> = touched.iter().filter_map(before).collect();
        self.made.undo.add(before);
        kept.set(self.remote, &wanted)
    }

    /// What is at the path of an action.
    fn existing(&self, at: ActionIndex) -> Option<&'p Entry> {
        Some(&self.action(at)?.known?.of(&self.state.entries)?.entry)
    }

    /// The text of the symbolic link at the path of an action.
    fn standing_link(&self, at: ActionIndex) -> Option<&'p [u8]> {
        match &self.existing(at)?.kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
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

/// The error of a push that left some paths new and others old.
fn mixed(error: PushError) -> PushError {
    match error {
        PushError::Agent(failure) => {
            PushError::Agent(Failure { code: FailureCode::Mixed, ..failure })
        }
        other => other,
    }
}

fn with_text(error: PushError, text: &str) -> PushError {
    match error {
        PushError::Agent(mut failure) => {
            failure.text += text;
            PushError::Agent(failure)
        }
        other => other,
    }
}
