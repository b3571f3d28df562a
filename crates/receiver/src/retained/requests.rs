//! Retention requests of a deploy: the history, and contents to retain or drop.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::digest::Digest;
use assetsync_core::index::{EntryIndex, RetainedIndex};
use assetsync_core::limits;
use assetsync_core::protocol::{Deploy, ToAgent, ToSender};
use assetsync_core::state::RetainedContent;
use assetsync_tree::OpenTree;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::retained::history::{HistoryReader, HistoryWriter, PublishedHistory};
use crate::retained::{contents, history};
use crate::staging::plan_store::{PlanStore, is_file};
use crate::work::error::WorkDirError;
use crate::work::work_dir::WorkDir;

/// Sends the history and the list of retained contents; returns the list.
pub fn send_retained(
    deploy: Deploy,
    work: Option<(BorrowedFd<'_>, &Path)>,
    conversation: &mut Conversation,
) -> Result<Vec<RetainedContent>, AgentError> {
    let Some((work, path)) = work else { return Ok(Vec::new()) };
    let old = HistoryReader::open(work).map_err(unusable(path, history::NAME))?;
    if let Some(old) = old {
        send_history(deploy, &old, conversation, path)?;
    }
    let retained_contents = contents::list(work).map_err(unusable(path, contents::NAME))?;
    retained_contents.iter().try_for_each(|retained_contents| {
        conversation.send(&ToSender::Retained(*retained_contents))
    })?;
    Ok(retained_contents)
}

fn send_history(
    deploy: Deploy,
    old: &HistoryReader,
    conversation: &mut Conversation,
    path: &Path,
) -> Result<(), AgentError> {
    let failed = unusable(path, history::NAME);
    let at = path.join(history::NAME);
    let at = at.as_os_str().as_bytes();
    conversation.send(&ToSender::HistoryPath(&at[..at.len().min(limits::PATH_BYTES)]))?;
    if deploy.history.is_some() && deploy.history == Some(old.id().map_err(&failed)?) {
        return conversation.send(&ToSender::HistoryKnown);
    }
    let (mut pieces, mut buffer) = (old.pieces(), vec![0; limits::LITERAL_BYTES]);
    loop {
        match pieces.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => conversation.send(&ToSender::HistoryChunk(&buffer[..count]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn unusable(work: &Path, name: &str) -> impl Fn(io::Error) -> AgentError {
    let path = work.join(name);
    move |source| AgentError::WorkDir(WorkDirError::Io { path: path.clone(), source })
}

/// Whether the deploy that wrote the history did not hear that it was published.
pub fn is_unfinished(work: Option<(BorrowedFd<'_>, &Path)>) -> Result<bool, AgentError> {
    let Some((work, path)) = work else { return Ok(false) };
    history::is_unfinished(work).map_err(unusable(path, history::NAME))
}

/// The retention requests of one push.
pub struct RetentionRequests<'w> {
    work: &'w WorkDir,
    /// The contents retained by earlier deploys.
    retained_contents: Vec<RetainedContent>,
    /// Indices in the state, ascending, and the expected digests.
    to_retain: Vec<(EntryIndex, Digest)>,
    /// Indices in `retained_contents`, ascending.
    retained_to_drop: Vec<RetainedIndex>,
    history: Option<HistoryWriter>,
    published: Option<PublishedHistory>,
    /// Whether a history was published, and the sender has not heard of it yet.
    is_unfinished: bool,
    /// Texts for the user.
    notices: Vec<String>,
}

impl<'w> RetentionRequests<'w> {
    /// No requests yet.
    pub fn new(
        work: &'w WorkDir,
        retained_contents: Vec<RetainedContent>,
    ) -> RetentionRequests<'w> {
        let (to_retain, retained_to_drop) = (Vec::new(), Vec::new());
        let (history, published, notices) = (None, None, Vec::new());
        RetentionRequests {
            work,
            retained_contents,
            to_retain,
            retained_to_drop,
            history,
            published,
            is_unfinished: false,
            notices,
        }
    }

    /// Adds a request; any other message breaks the protocol.
    pub fn on_message(
        &mut self,
        message: &ToAgent<'_>,
        plan: &mut PlanStore,
    ) -> Result<(), AgentError> {
        match message {
            ToAgent::Retain { known, digest } => self.retain(*known, *digest, plan),
            ToAgent::DropRetained { retained_contents } => {
                self.retained_to_drop(*retained_contents)
            }
            ToAgent::History { keep } => self.begin_history(*keep),
            ToAgent::HistoryChunk(piece) => self.append(piece),
            other => Err(AgentError::unexpected(other, "between files")),
        }
    }

    fn retain(
        &mut self,
        known: EntryIndex,
        digest: Digest,
        plan: &mut PlanStore,
    ) -> Result<(), AgentError> {
        if self.to_retain.last().is_some_and(|(last, _)| *last >= known) {
            return Err(AgentError::protocol("retained contents are out of order"));
        }
        if self.to_retain.len() == limits::RETAINED_CONTENTS {
            return Err(AgentError::protocol("too many retained contents"));
        }
        let index_entry = plan.index_entries.get(known).map_err(AgentError::WorkFiles)?;
        if !index_entry.as_ref().is_some_and(is_file) {
            return Err(AgentError::protocol("retaining what is no file"));
        }
        self.to_retain.push((known, digest));
        Ok(())
    }

    fn retained_to_drop(&mut self, dropped: RetainedIndex) -> Result<(), AgentError> {
        let in_order = self.retained_to_drop.last().is_none_or(|last| *last < dropped);
        if !in_order || dropped.of(&self.retained_contents).is_none() {
            return Err(AgentError::protocol("dropping a content that is not retained"));
        }
        self.retained_to_drop.push(dropped);
        Ok(())
    }

    fn begin_history(&mut self, keep: u64) -> Result<(), AgentError> {
        if self.history.is_some() {
            return Err(AgentError::protocol("two histories"));
        }
        let new = HistoryWriter::begin(self.work, keep);
        let new = new.map_err(unusable(self.work.path(), history::NAME))?;
        self.history = new;
        match self.history {
            Some(_) => Ok(()),
            None => Err(AgentError::protocol("the old history is shorter than what stays of it")),
        }
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), AgentError> {
        let Some(new) = self.history.as_mut().filter(|_| !piece.is_empty()) else {
            return Err(AgentError::protocol("a piece of no history"));
        };
        match new.append(piece).map_err(unusable(self.work.path(), history::NAME))? {
            true => Ok(()),
            false => Err(AgentError::protocol("too long a history")),
        }
    }

    /// Whether anything has to be retained before publishing.
    pub fn has_requests(&self) -> bool {
        !self.to_retain.is_empty() || self.history.is_some()
    }

    /// Called when everything is staged: retains contents, and makes the new history ready, so that
    /// publishing it takes no room. What is retained and not named by a history is dropped by the
    /// next deploy.
    pub fn prepare(&mut self, plan: &mut PlanStore, tree: &mut OpenTree) -> Result<(), AgentError> {
        if !self.to_retain.is_empty() {
            let kept = self.keep_contents(plan, tree);
            kept.map_err(unusable(self.work.path(), contents::NAME))?;
        }
        if let Some(new) = &self.history {
            let prepared = new.prepare(self.work);
            let notice = prepared.map_err(unusable(self.work.path(), history::NAME))?;
            self.notices.extend(notice);
        }
        Ok(())
    }

    /// Called before anything is published: saves the history that may name retained contents,
    /// which are durable. Returns texts for the user.
    pub fn publish(&mut self) -> Result<Vec<String>, AgentError> {
        if let Some(new) = self.history.take() {
            let published = new.publish(self.work);
            let published = published.map_err(unusable(self.work.path(), history::NAME))?;
            self.published = Some(published);
            self.is_unfinished = true;
        }
        Ok(std::mem::take(&mut self.notices))
    }

    /// Puts the old history back, after publishing was taken back. Retained contents stay: the next
    /// deploy drops those that nothing names.
    pub fn take_back(&mut self) -> io::Result<()> {
        self.published.take().map_or(Ok(()), |published| published.take_back(self.work))
    }

    /// Called once the deploy is live: its history stays.
    pub fn confirm(&mut self) -> io::Result<()> {
        self.published.take().map_or(Ok(()), |published| published.confirm(self.work))
    }

    /// Called when the sender has heard that everything is published.
    pub fn finish(&self) {
        if self.is_unfinished {
            history::finish(self.work);
        }
    }

    fn keep_contents(&mut self, plan: &mut PlanStore, tree: &mut OpenTree) -> io::Result<()> {
        let mut keeper = contents::RetainedWriter::begin(self.work)?;
        for (known, digest) in std::mem::take(&mut self.to_retain) {
            let Some(index_entry) = plan.index_entries.get(known)? else { continue };
            let path = index_entry.entry.path;
            let kept = match tree.open_file(&path) {
                Ok(file) => keeper.keep(file, &digest)?,
                Err(_) => false,
            };
            if !kept {
                self.notices
                    .push(format!("{path} was changed by others; a rollback can't restore it"));
            }
        }
        keeper.finish()
    }

    /// Called when pruning: removes the contents to drop. Returns texts for the user.
    pub fn prune(&mut self) -> Vec<String> {
        let mut notices = Vec::new();
        for index in std::mem::take(&mut self.retained_to_drop) {
            let Some(retained_contents) = index.of(&self.retained_contents) else {
                continue;
            };
            if let Err(error) = contents::remove(self.work.dir(), &retained_contents.digest) {
                notices.push(format!(
                    "Can't remove the retained content {}: {error}",
                    retained_contents.digest
                ));
            }
        }
        notices
    }

    /// Opens a content retained by an earlier deploy.
    pub fn open(&self, index: RetainedIndex) -> io::Result<std::fs::File> {
        let retained_contents = index.of(&self.retained_contents).ok_or(io::ErrorKind::NotFound)?;
        contents::open(self.work.dir(), &retained_contents.digest)
    }
}
