//! Applies a plan: builds every file in the staging area from what is here and what arrives.

use std::fs::File;
use std::io;

use super::book::{Amended, Book};
use super::conversation::Conversation;
use super::error::AgentError;
use crate::digest::Digest;
use crate::fs::publish::Actions;
use crate::fs::stage::{LeftoverFile, Stage, StagedFile};
use crate::fs::tree::Tree;
use crate::plan::{Action, FileAction};
use crate::proto::{Message, Received};
use crate::recipe::{Basis, Recipe};

/// What it takes to apply a plan.
pub struct Applier<'a, 'w> {
    /// The plan.
    pub book: &'a mut Book,
    /// Where files are built.
    pub stage: &'a mut Stage<'w>,
    /// The destination, for bases.
    pub tree: &'a mut Tree,
    /// Verified files of interrupted pushes.
    pub leftovers: &'a [LeftoverFile],
}

impl Applier<'_, '_> {
    /// Builds the files whose content is here already: at the destination or left over.
    pub fn copy_known(&mut self) -> Result<(), AgentError> {
        self.copy_each(|basis| !matches!(basis, Basis::Planned(_)))
    }

    /// Builds the files that are the same as others of this plan, once those are staged.
    pub fn copy_planned(&mut self) -> Result<(), AgentError> {
        self.copy_each(|basis| matches!(basis, Basis::Planned(_)))
    }

    fn copy_each(&mut self, now: impl Fn(Basis) -> bool) -> Result<(), AgentError> {
        for position in 0..self.book.orders.len() {
            let Some(action) = self.book.file_action(position)? else { continue };
            let Some(file) = action.file() else { continue };
            match file.recipe {
                Recipe::Copy { from } if now(from) && !self.book.is_staged(position) => {
                    self.copy(position, &action, file, from)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A copy that can't be made is not staged, and so reported as failed; the sender sends the file.
    fn copy(
        &mut self,
        position: u32,
        action: &Action,
        file: &FileAction,
        from: Basis,
    ) -> Result<(), AgentError> {
        if let (Basis::Leftover(leftover), Some(digest)) = (from, file.digest) {
            return self.adopt(position, action, leftover, &digest, file);
        }
        let Ok(mut basis) = self.open_basis(from) else { return Ok(()) };
        let mut staged = self.create(position, action, file)?;
        let copied = staged.copy(&mut basis, 0, file.size);
        match copied.map_err(|error| stage_error(action, error))? {
            true => self.finish(position, action, file, staged),
            false => self.discard(action, staged),
        }
    }

    /// Takes a leftover over as it is, if it still is what its name says.
    fn adopt(
        &mut self,
        position: u32,
        action: &Action,
        leftover: u32,
        digest: &Digest,
        file: &FileAction,
    ) -> Result<(), AgentError> {
        let Some(leftover) = self.leftovers.get(leftover as usize) else { return Ok(()) };
        let adopted = self.stage.adopt(leftover, position, digest, file.mode, file.mtime);
        if adopted.map_err(|error| stage_error(action, error))? {
            self.book.set_staged(position);
        }
        Ok(())
    }

    fn open_basis(&mut self, basis: Basis) -> io::Result<File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match basis {
            Basis::Known(known) => {
                let record = self.book.records.get(known)?.ok_or_else(missing)?;
                self.tree.open_file(&record.entry.path)
            }
            // Leftovers are adopted, never copied from.
            Basis::Leftover(_) => Err(missing()),
            Basis::Planned(planned) => {
                let action = self.book.action(planned)?.ok_or_else(missing)?;
                let digest = action.file().and_then(|file| file.digest).ok_or_else(missing)?;
                self.stage.open_staged(&digest, planned)
            }
        }
    }

    /// Builds files from what the sender says, until it says that there is no more, and whether to publish.
    pub fn receive_content(
        &mut self,
        mut first: Option<u32>,
        may_amend: bool,
        talk: &mut Conversation,
    ) -> Result<bool, AgentError> {
        loop {
            if let Some(position) = first.take() {
                self.receive_file(position, talk)?;
            }
            match talk.message()? {
                Message::FileStart { action } => first = Some(action),
                Message::Amend { action, size, mtime, digest } if may_amend => {
                    self.book.amend(action, Amended { size, mtime, digest })?;
                }
                Message::ContentEnd { publish } => return Ok(publish),
                other => return Err(AgentError::Protocol(format!("{other:?} between files"))),
            }
        }
    }

    fn receive_file(&mut self, position: u32, talk: &mut Conversation) -> Result<(), AgentError> {
        let action = self.book.file_action(position)?;
        let action = action.ok_or_else(|| AgentError::protocol("content for no file"))?;
        let Some(file) = action.file() else { return Ok(()) };
        if self.book.is_staged(position) {
            return Err(AgentError::Protocol(format!("{} came twice", action.path)));
        }
        // A basis that is gone makes the digest wrong, and so the file is asked for as a whole.
        let basis = match file.recipe {
            Recipe::Delta { basis, .. } => self.open_basis(basis).ok(),
            _ => None,
        };
        let staged = self.create(position, &action, file)?;
        let mut build = Build { staged, basis, action: &action, is_broken: false };
        let whole = build.receive(talk)?;
        let Build { staged, is_broken, .. } = build;
        if whole && !is_broken {
            self.finish(position, &action, file, staged)
        } else {
            self.discard(&action, staged)
        }
    }

    fn create(
        &mut self,
        position: u32,
        action: &Action,
        file: &FileAction,
    ) -> Result<StagedFile, AgentError> {
        self.stage.create(position, file.size).map_err(|error| stage_error(action, error))
    }

    fn finish(
        &mut self,
        position: u32,
        action: &Action,
        file: &FileAction,
        staged: StagedFile,
    ) -> Result<(), AgentError> {
        let digest = file.digest.ok_or_else(|| AgentError::protocol("file without a digest"))?;
        let right = self.stage.finish(staged, &digest, file.mode, file.mtime);
        if right.map_err(|error| stage_error(action, error))? {
            self.book.set_staged(position);
        }
        Ok(())
    }

    fn discard(&mut self, action: &Action, staged: StagedFile) -> Result<(), AgentError> {
        self.stage.discard(staged).map_err(|error| stage_error(action, error))
    }

    /// Tells the sender which files are not staged; gives their number.
    pub fn report(&mut self, talk: &mut Conversation) -> Result<u32, AgentError> {
        let mut failed = 0;
        for position in 0..self.book.orders.len() {
            if !self.book.is_staged(position) && self.book.file_action(position)?.is_some() {
                failed += 1;
                talk.send(&Message::Failed { action: position })?;
            }
        }
        talk.send(&Message::StagedEnd)?;
        talk.flush()?;
        Ok(failed)
    }
}

fn stage_error(action: &Action, source: io::Error) -> AgentError {
    AgentError::Stage { path: action.path.to_string(), source }
}

/// One file being built from content operations.
struct Build<'a> {
    staged: StagedFile,
    basis: Option<File>,
    action: &'a Action,
    /// The basis was not what the sender took it for; the rest is read and thrown away.
    is_broken: bool,
}

impl Build<'_> {
    /// Carries out operations to the end of the file; `false` if the sender gave the file up.
    fn receive(&mut self, talk: &mut Conversation) -> Result<bool, AgentError> {
        loop {
            match talk.message()? {
                Message::Literal(bytes) => {
                    self.staged.expect(bytes.len() as u64)?;
                    let written = self.staged.write(bytes);
                    written.map_err(|error| stage_error(self.action, error))?;
                }
                Message::Copy { offset, length } => self.copy(offset, length)?,
                Message::Stored { length } => self.store(length, talk)?,
                Message::FileEnd => return Ok(true),
                Message::FileAbort => return Ok(false),
                other => return Err(AgentError::Protocol(format!("{other:?} inside a file"))),
            }
        }
    }

    fn copy(&mut self, offset: u64, length: u64) -> Result<(), AgentError> {
        self.staged.expect(length)?;
        if length == 0 {
            return Err(AgentError::protocol("copy of nothing"));
        }
        let Some(basis) = &mut self.basis else {
            self.is_broken = true;
            return Ok(());
        };
        let copied = self.staged.copy(basis, offset, length);
        self.is_broken |= !copied.map_err(|error| stage_error(self.action, error))?;
        Ok(())
    }

    fn store(&mut self, length: u64, talk: &mut Conversation) -> Result<(), AgentError> {
        self.staged.expect(length)?;
        let mut left = length;
        while left > 0 {
            let Received::Stored(bytes) = talk.receive()? else {
                return Err(AgentError::protocol("stored content is missing"));
            };
            left = left
                .checked_sub(bytes.len() as u64)
                .filter(|_| !bytes.is_empty())
                .ok_or_else(|| AgentError::protocol("stored content of a wrong length"))?;
            self.staged.write(bytes).map_err(|error| stage_error(self.action, error))?;
        }
        Ok(())
    }
}
