//! Stages the files of a plan from local contents and received ones.

use std::fs::File;
use std::io;
use std::path::Path;

use assetsync_core::index::{ActionIndex, PartialIndex};
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
use crate::publishing::actions::Actions;
use crate::publishing::areas::Areas;
use crate::publishing::whole_directory::TreeClone;
use crate::retained::requests::RetentionRequests;
use crate::staging::staging_area::{PartialFile, StagedFile, StagingArea};
use crate::work::work_dir::WorkDir;

/// Stages the files of a plan.
pub struct Stager<'a, 'w> {
    /// The plan.
    pub plan: &'a mut PlanStore,
    /// The staging area.
    pub stage: &'a mut StagingArea<'w>,
    /// The destination, for bases.
    pub tree: &'a mut OpenTree,
    /// The partials.
    pub partials: &'a [PartialFile],
    /// The directory for spools of rewritten references.
    pub spool_dir: &'a Path,
    /// The parts of the next frame's prefix.
    pub prefix: Prefix,
    /// All staging areas.
    pub areas: &'a mut Areas<'w>,
    /// The work directory.
    pub work: &'w WorkDir,
    /// The clone of the destination, if it is published as a whole.
    pub clone: Option<&'a mut Option<TreeClone>>,
    /// Retention requests, if the push is part of a deploy.
    pub retention: Option<&'a mut RetentionRequests<'w>>,
}

/// The sender's request after the report of failed files.
enum AfterStaging {
    Publish,
    Quit,
    /// Failed files are sent again, this one first.
    Content {
        action: ActionIndex,
    },
}

impl Stager<'_, '_> {
    /// Stages everything; `true` if the sender then wants it published.
    pub fn run(&mut self, conversation: &mut Conversation) -> Result<bool, AgentError> {
        self.make_known()?;
        let mut first = None;
        let mut may_amend = false;
        loop {
            let publish = self.receive_content(first.take(), may_amend, conversation)?;
            self.make_planned()?;
            let failed = self.report(conversation)?;
            if publish && failed == 0 {
                return Ok(true);
            }
            first = match self.after_staging(failed, conversation)? {
                AfterStaging::Publish => return Ok(true),
                AfterStaging::Quit => return Ok(false),
                AfterStaging::Content { action } => Some(action),
            };
            may_amend = true;
        }
    }

    /// Receives what follows the report of `failed` files.
    fn after_staging(
        &mut self,
        failed: u32,
        conversation: &mut Conversation,
    ) -> Result<AfterStaging, AgentError> {
        loop {
            match conversation.message()? {
                ToAgent::Publish if failed == 0 => return Ok(AfterStaging::Publish),
                ToAgent::Quit => return Ok(AfterStaging::Quit),
                ToAgent::FileStart { action } if failed > 0 => {
                    return Ok(AfterStaging::Content { action });
                }
                ToAgent::Amend { action, size, mtime, digest } if failed > 0 => {
                    self.plan.amend(action, Amended { size, mtime, digest })?;
                }
                other => return Err(AgentError::unexpected(&other, "after staging")),
            }
        }
    }

    /// Builds the files whose content the destination has: in existing files or in partials.
    fn make_known(&mut self) -> Result<(), AgentError> {
        self.make_each(|basis| !matches!(basis, Basis::Planned(_)))
    }

    /// Builds the files that are copies of other files of this plan, once those are staged.
    fn make_planned(&mut self) -> Result<(), AgentError> {
        self.make_each(|basis| matches!(basis, Basis::Planned(_)))
    }

    fn make_each(&mut self, now: impl Fn(Basis) -> bool) -> Result<(), AgentError> {
        for position in self.plan.wire_actions.indices() {
            let Some(action) = self.plan.file_action(position)? else { continue };
            let Some(file) = action.file() else { continue };
            match file.recipe {
                Recipe::Copy { from } if now(from) && !self.plan.is_staged(position) => {
                    self.copy(position, &action, file, from)?;
                }
                Recipe::Rewrite { basis } if now(basis) && !self.plan.is_staged(position) => {
                    self.rewrite(position, &action, file, basis)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A copy that can't be made is not staged, and so reported as failed; the sender sends the
    /// file.
    fn copy(
        &mut self,
        position: ActionIndex,
        action: &Action,
        file: &FileAction,
        from: Basis,
    ) -> Result<(), AgentError> {
        let Ok(mut basis) = self.open_basis(from) else { return Ok(()) };
        let mut staged = self.create(position, action, file)?;
        let copied = staged.copy(&mut basis, file.size);
        match copied.map_err(|error| stage_error(action, error))? {
            true => self.finish(position, action, file, staged)?,
            false => self.discard(action, staged)?,
        }
        match from {
            Basis::Partial(partial) => self.remove_partial(action, partial),
            _ => Ok(()),
        }
    }

    /// A rewritten basis that is not the content is not staged, and so reported as failed.
    fn rewrite(
        &mut self,
        position: ActionIndex,
        action: &Action,
        file: &FileAction,
        basis: Basis,
    ) -> Result<(), AgentError> {
        let Ok(mut basis) = self.open_basis(basis) else { return Ok(()) };
        let mut staged = self.create(position, action, file)?;
        let mut failed = None;
        let rewritten =
            reference_reader::rewrite(&mut basis, self.plan.rewriter()?, &mut |piece| {
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

    /// Frees the space of a partial that was copied, or that was not what its name says.
    fn remove_partial(&self, action: &Action, partial: PartialIndex) -> Result<(), AgentError> {
        let Some(partial) = partial.of(self.partials) else { return Ok(()) };
        self.stage.remove_partial(partial).map_err(|error| stage_error(action, error))
    }

    fn open_basis(&mut self, basis: Basis) -> io::Result<File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match basis {
            Basis::Existing(known) => {
                let index_entry = self.plan.index_entries.get(known)?.ok_or_else(missing)?;
                self.tree.open_file(&index_entry.entry.path)
            }
            Basis::Partial(partial) => {
                let partial = partial.of(self.partials).ok_or_else(missing)?;
                self.stage.open_partial(partial)
            }
            Basis::Retained(retained_contents) => {
                self.retention.as_ref().ok_or_else(missing)?.open(retained_contents)
            }
            Basis::Planned(planned) => {
                let action = self.plan.action(planned)?.ok_or_else(missing)?;
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
        let rewriter = self.plan.rewriter()?;
        Ok(ReferenceReader::rewritten(&mut basis, rewriter, self.spool_dir).ok())
    }

    /// Sets the prefix of the next zstd frame.
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

    /// Builds files from received content, up to the end of content. Returns whether to publish
    /// without waiting.
    fn receive_content(
        &mut self,
        mut first: Option<ActionIndex>,
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
                    self.plan.amend(action, Amended { size, mtime, digest })?;
                }
                ToAgent::ContentEnd { publish } => return Ok(publish),
                other => match &mut self.retention {
                    Some(retention) => retention.on_message(&other, self.plan)?,
                    None => return Err(AgentError::unexpected(&other, "between files")),
                },
            }
        }
    }

    fn receive_file(
        &mut self,
        position: ActionIndex,
        conversation: &mut Conversation,
    ) -> Result<(), AgentError> {
        let action = self.plan.file_action(position)?;
        let action = action.ok_or_else(|| AgentError::protocol("content for no file"))?;
        let Some(file) = action.file() else { return Ok(()) };
        if self.plan.is_staged(position) {
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

    /// Opens what a file is built from besides literals. If it can't be read, the file is reported
    /// as failed.
    fn with(&mut self, file: &FileAction) -> Result<BuildInput, AgentError> {
        Ok(match file.recipe {
            Recipe::Delta { reference, .. } | Recipe::Patch { reference } => {
                BuildInput::Reference(self.open_reference(reference)?)
            }
            Recipe::Regzip { plain } => BuildInput::Plain(self.open_basis(plain).ok(), Vec::new()),
            _ => BuildInput::Nothing,
        })
    }

    /// Carries out operations to the end of the file; `false` if the sender aborted the file.
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
        position: ActionIndex,
        action: &Action,
        file: &FileAction,
    ) -> Result<StagedFile, AgentError> {
        self.stage.create(position, file).map_err(|error| stage_error(action, error))
    }

    fn finish(
        &mut self,
        position: ActionIndex,
        action: &Action,
        file: &FileAction,
        staged: StagedFile,
    ) -> Result<(), AgentError> {
        let right = self.stage.finish(staged, file);
        if right.map_err(|error| stage_error(action, error))? {
            self.plan.set_staged(position);
        }
        Ok(())
    }

    fn discard(&mut self, action: &Action, staged: StagedFile) -> Result<(), AgentError> {
        self.stage.discard(staged).map_err(|error| stage_error(action, error))
    }

    /// Reports the files that are not staged; returns their number. If all are, everything is
    /// prepared for publishing first.
    fn report(&mut self, conversation: &mut Conversation) -> Result<u32, AgentError> {
        let mut failed = 0;
        for position in self.plan.wire_actions.indices() {
            if !self.plan.is_staged(position) && self.plan.file_action(position)?.is_some() {
                failed += 1;
                conversation.send(&ToSender::Failed { action: position })?;
            }
        }
        if failed == 0 {
            self.prepare()?;
        }
        conversation.send(&ToSender::StagedEnd)?;
        conversation.flush()?;
        Ok(failed)
    }
}

fn stage_error(action: &Action, source: io::Error) -> AgentError {
    AgentError::Stage { path: action.path.to_string(), source }
}
