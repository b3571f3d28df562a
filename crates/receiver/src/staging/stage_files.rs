//! Applies a plan: builds every file in the staging area from what is here and what arrives.

use std::fs::File;
use std::io;
use std::path::Path;

use assetsync_core::digest::Digest;
use assetsync_core::plan::{Action, FileAction};
use assetsync_core::protocol::{ToAgent, ToSender};
use assetsync_core::recipe;
use assetsync_core::recipe::{Basis, Recipe};
use assetsync_tree::OpenTree;

use super::file_builder::{BuildError, BuildInput, FileBuilder};
use super::plan_store::{Amended, PlanStore};
use super::prefix::Prefix;
use super::reference_reader;
use super::reference_reader::ReferenceReader;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::publisher::Actions;
use crate::retained::requests::RetentionRequests;
use crate::staging::staging_area::{PartialFile, StagedFile, StagingArea};

/// What it takes to apply a plan.
pub struct Stager<'a, 'w> {
    /// The plan.
    pub book: &'a mut PlanStore,
    /// Where files are built.
    pub stage: &'a mut StagingArea<'w>,
    /// The destination, for bases.
    pub tree: &'a mut OpenTree,
    /// Verified files of interrupted pushes.
    pub partials: &'a [PartialFile],
    /// Where rewritten grounds may overflow to.
    pub spool_dir: &'a Path,
    /// The parts of the next frame's prefix.
    pub prefix: Prefix,
    /// What a deploy keeps, if the push is part of one.
    pub keeping: Option<&'a mut RetentionRequests<'w>>,
}

impl Stager<'_, '_> {
    /// Builds the files whose content is here already: at the destination, maybe under old names, or left over.
    pub fn make_known(&mut self) -> Result<(), AgentError> {
        self.make_each(|basis| !matches!(basis, Basis::Planned(_)))
    }

    /// Builds the files that are the same as others of this plan, once those are staged.
    pub fn make_planned(&mut self) -> Result<(), AgentError> {
        self.make_each(|basis| matches!(basis, Basis::Planned(_)))
    }

    fn make_each(&mut self, now: impl Fn(Basis) -> bool) -> Result<(), AgentError> {
        for position in 0..self.book.wire_actions.len() {
            let Some(action) = self.book.file_action(position)? else { continue };
            let Some(file) = action.file() else { continue };
            match file.recipe {
                Recipe::Copy { from } if now(from) && !self.book.is_staged(position) => {
                    self.copy(position, &action, file, from)?;
                }
                Recipe::Rewrite { basis } if now(basis) && !self.book.is_staged(position) => {
                    self.rewrite(position, &action, file, basis)?;
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
        if let (Basis::Partial(partial), Some(digest)) = (from, file.digest) {
            return self.adopt(position, action, partial, &digest, file);
        }
        let Ok(mut basis) = self.open_basis(from) else { return Ok(()) };
        let mut staged = self.create(position, action, file)?;
        let copied = staged.copy(&mut basis, file.size);
        match copied.map_err(|error| stage_error(action, error))? {
            true => self.finish(position, action, file, staged),
            false => self.discard(action, staged),
        }
    }

    /// A rewritten basis that is not the content is not staged, and so reported as failed.
    fn rewrite(
        &mut self,
        position: u32,
        action: &Action,
        file: &FileAction,
        basis: Basis,
    ) -> Result<(), AgentError> {
        let Ok(mut basis) = self.open_basis(basis) else { return Ok(()) };
        let mut staged = self.create(position, action, file)?;
        let mut failed = None;
        let rewritten =
            reference_reader::rewrite(&mut basis, self.book.rewriter()?, &mut |piece| {
                staged.expect(piece.len() as u64).map_err(io::Error::other)?;
                staged.write(piece).map_err(|error| {
                    failed = Some(error);
                    io::ErrorKind::Other.into()
                })
            });
        match (failed, rewritten) {
            (Some(error), _) => Err(stage_error(action, error)),
            (None, Ok(())) => self.finish(position, action, file, staged),
            (None, Err(_)) => self.discard(action, staged),
        }
    }

    /// Takes a leftover over as it is, if it still is what its name says.
    fn adopt(
        &mut self,
        position: u32,
        action: &Action,
        partial: u32,
        digest: &Digest,
        file: &FileAction,
    ) -> Result<(), AgentError> {
        let Some(partial) = self.partials.get(partial as usize) else { return Ok(()) };
        let adopted = self.stage.adopt(partial, position, digest, file.mode, file.mtime);
        if adopted.map_err(|error| stage_error(action, error))? {
            self.book.set_staged(position);
        }
        Ok(())
    }

    fn open_basis(&mut self, basis: Basis) -> io::Result<File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match basis {
            Basis::Existing(known) => {
                let record = self.book.records.get(known)?.ok_or_else(missing)?;
                self.tree.open_file(&record.entry.path)
            }
            // Leftovers are adopted, never copied from.
            Basis::Partial(_) => Err(missing()),
            Basis::Retained(retained_contents) => {
                self.keeping.as_ref().ok_or_else(missing)?.open(retained_contents)
            }
            Basis::Planned(planned) => {
                let action = self.book.action(planned)?.ok_or_else(missing)?;
                let digest = action.file().and_then(|file| file.digest).ok_or_else(missing)?;
                self.stage.open_staged(&digest, planned)
            }
        }
    }

    /// Opens what ranges are copied from.
    fn open_reference(
        &mut self,
        reference: recipe::Reference,
    ) -> Result<Option<ReferenceReader>, AgentError> {
        let Ok(mut basis) = self.open_basis(reference.basis) else { return Ok(None) };
        if !reference.rewritten {
            return Ok(ReferenceReader::file(basis).ok());
        }
        let rewriter = self.book.rewriter()?;
        Ok(ReferenceReader::rewritten(&mut basis, rewriter, self.spool_dir).ok())
    }

    /// Has the next zstd frame begin with the parts named.
    fn use_prefix(
        &mut self,
        check: [u8; 8],
        conversation: &mut Conversation,
    ) -> Result<(), AgentError> {
        let mut prefix = std::mem::take(&mut self.prefix);
        let loaded = prefix
            .load(check, |reference| self.open_reference(reference)?.ok_or(AgentError::Basis));
        conversation.expect_prefix(loaded?)
    }

    /// Builds files from what the sender says, until it says that there is no more, and whether to publish.
    pub fn receive_content(
        &mut self,
        mut first: Option<u32>,
        may_amend: bool,
        conversation: &mut Conversation,
    ) -> Result<bool, AgentError> {
        loop {
            if let Some(position) = first.take() {
                self.receive_file(position, conversation)?;
            }
            match conversation.message()? {
                ToAgent::FileStart { action } => first = Some(action),
                ToAgent::PrefixPart(part) => self.prefix.add(part)?,
                ToAgent::Prefix { check } => self.use_prefix(check, conversation)?,
                ToAgent::Amend { action, size, mtime, digest } if may_amend => {
                    self.book.amend(action, Amended { size, mtime, digest })?;
                }
                ToAgent::ContentEnd { publish } => return Ok(publish),
                other => match &mut self.keeping {
                    Some(keeping) => keeping.on_message(&other, self.book, self.stage)?,
                    None => return Err(AgentError::unexpected(&other, "between files")),
                },
            }
        }
    }

    fn receive_file(
        &mut self,
        position: u32,
        conversation: &mut Conversation,
    ) -> Result<(), AgentError> {
        let action = self.book.file_action(position)?;
        let action = action.ok_or_else(|| AgentError::protocol("content for no file"))?;
        let Some(file) = action.file() else { return Ok(()) };
        if self.book.is_staged(position) {
            return Err(AgentError::Protocol(format!("{} came twice", action.path)));
        }
        let with = self.with(file)?;
        let staged = self.create(position, &action, file)?;
        let mut build = FileBuilder { staged, with, is_broken: false };
        let whole = self.receive_operations(&mut build, &action, conversation)?;
        if whole {
            build.complete().map_err(|error| stage_error(&action, error))?;
        }
        let FileBuilder { staged, is_broken, .. } = build;
        if whole && !is_broken {
            self.finish(position, &action, file, staged)
        } else {
            self.discard(&action, staged)
        }
    }

    /// What a file is made from besides what the sender says. If that is gone, the file is asked for as a whole.
    fn with(&mut self, file: &FileAction) -> Result<BuildInput, AgentError> {
        Ok(match file.recipe {
            Recipe::Delta { reference, .. } | Recipe::Patch { reference } => {
                BuildInput::ReferenceReader(self.open_reference(reference)?)
            }
            Recipe::Regzip { plain } => BuildInput::Plain(self.open_basis(plain).ok(), Vec::new()),
            _ => BuildInput::Nothing,
        })
    }

    /// Carries out operations to the end of the file; `false` if the sender gave the file up.
    fn receive_operations(
        &mut self,
        build: &mut FileBuilder,
        action: &Action,
        conversation: &mut Conversation,
    ) -> Result<bool, AgentError> {
        loop {
            let done = match conversation.message()? {
                ToAgent::FileEnd => return Ok(true),
                ToAgent::FileAbort => return Ok(false),
                ToAgent::PrefixPart(part) => {
                    self.prefix.add(part)?;
                    continue;
                }
                ToAgent::Prefix { check } => {
                    self.use_prefix(check, conversation)?;
                    continue;
                }
                ToAgent::Stored { length } => build.store(length, conversation),
                message => build.operation(&message),
            };
            done.map_err(|error| match error {
                BuildError::Agent(error) => error,
                BuildError::Io(error) => stage_error(action, error),
            })?;
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
    pub fn report(&mut self, conversation: &mut Conversation) -> Result<u32, AgentError> {
        let mut failed = 0;
        for position in 0..self.book.wire_actions.len() {
            if !self.book.is_staged(position) && self.book.file_action(position)?.is_some() {
                failed += 1;
                conversation.send(&ToSender::Failed { action: position })?;
            }
        }
        conversation.send(&ToSender::StagedEnd)?;
        conversation.flush()?;
        Ok(failed)
    }
}

fn stage_error(action: &Action, source: io::Error) -> AgentError {
    AgentError::StagingArea { path: action.path.to_string(), source }
}
