//! What a deploy keeps at its destination besides the files: the history, and contents that are set aside.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

use super::book::{Book, is_file};
use super::conversation::Conversation;
use super::error::AgentError;
use crate::digest::Digest;
use crate::fs::asides;
use crate::fs::history::{self, NewHistory, OldHistory};
use crate::fs::stage::Stage;
use crate::fs::tree::Tree;
use crate::fs::work::{Work, WorkError};
use crate::limits;
use crate::proto::{Deploy, Message};
use crate::state::Aside;

/// Tells the history and what is set aside; gives the latter.
pub fn tell(
    deploy: Deploy,
    work: Option<(BorrowedFd<'_>, &Path)>,
    talk: &mut Conversation,
) -> Result<Vec<Aside>, AgentError> {
    let Some((work, path)) = work else { return Ok(Vec::new()) };
    let old = OldHistory::open(work).map_err(unusable(path, history::NAME))?;
    if let Some(old) = old {
        tell_history(deploy, &old, talk, path)?;
    }
    let asides = asides::list(work).map_err(unusable(path, asides::NAME))?;
    asides.iter().try_for_each(|aside| talk.send(&Message::Aside(*aside)))?;
    Ok(asides)
}

fn tell_history(
    deploy: Deploy,
    old: &OldHistory,
    talk: &mut Conversation,
    path: &Path,
) -> Result<(), AgentError> {
    let failed = unusable(path, history::NAME);
    if deploy.history.is_some() && deploy.history == Some(old.id().map_err(&failed)?) {
        return talk.send(&Message::HistoryKnown);
    }
    let (mut pieces, mut buffer) = (old.pieces(), vec![0; limits::LITERAL_BYTES]);
    loop {
        match pieces.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => talk.send(&Message::HistoryPiece(&buffer[..count]))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn unusable(work: &Path, name: &str) -> impl Fn(io::Error) -> AgentError {
    let path = work.join(name);
    move |source| AgentError::Work(WorkError::Io { path: path.clone(), source })
}

/// What the sender wants kept, and dropped.
pub struct Keeping<'w> {
    work: &'w Work,
    /// What was set aside before.
    asides: Vec<Aside>,
    /// Positions in the state, ascending, and the digests that are expected there.
    set_aside: Vec<(u32, Digest)>,
    /// Positions in `asides`, ascending.
    drop_aside: Vec<u32>,
    history: Option<NewHistory>,
}

impl<'w> Keeping<'w> {
    /// Nothing is wanted yet.
    pub fn new(work: &'w Work, asides: Vec<Aside>) -> Keeping<'w> {
        let (set_aside, drop_aside) = (Vec::new(), Vec::new());
        Keeping { work, asides, set_aside, drop_aside, history: None }
    }

    /// Takes note of a wish; any other message is a breach.
    pub fn hear(
        &mut self,
        message: &Message<'_>,
        book: &mut Book,
        stage: &Stage<'_>,
    ) -> Result<(), AgentError> {
        match message {
            Message::SetAside { known, digest } => self.set_aside(*known, *digest, book),
            Message::DropAside { aside } => self.drop_aside(*aside),
            Message::History { keep } => self.begin_history(*keep, stage),
            Message::HistoryPiece(piece) => self.append(piece),
            other => Err(AgentError::Protocol(format!("{other:?} between files"))),
        }
    }

    fn set_aside(&mut self, known: u32, digest: Digest, book: &mut Book) -> Result<(), AgentError> {
        if self.set_aside.last().is_some_and(|(last, _)| *last >= known) {
            return Err(AgentError::protocol("what is set aside is out of order"));
        }
        if self.set_aside.len() == limits::ASIDES {
            return Err(AgentError::protocol("too much is set aside"));
        }
        let record = book.records.get(known).map_err(AgentError::Own)?;
        if !record.as_ref().is_some_and(is_file) {
            return Err(AgentError::protocol("setting aside what is no file"));
        }
        self.set_aside.push((known, digest));
        Ok(())
    }

    fn drop_aside(&mut self, aside: u32) -> Result<(), AgentError> {
        let in_order = self.drop_aside.last().is_none_or(|last| *last < aside);
        if !in_order || aside as usize >= self.asides.len() {
            return Err(AgentError::protocol("dropping what is not set aside"));
        }
        self.drop_aside.push(aside);
        Ok(())
    }

    fn begin_history(&mut self, keep: u64, stage: &Stage<'_>) -> Result<(), AgentError> {
        if self.history.is_some() {
            return Err(AgentError::protocol("two histories"));
        }
        let new = NewHistory::begin(self.work, stage.other_name("history", 0), keep);
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

    /// Whether anything is to be kept when the plan is published.
    pub fn is_wanted(&self) -> bool {
        !self.set_aside.is_empty() || self.history.is_some()
    }

    /// Before anything is published: keeps contents first, then the history that may tell of them, each durable before
    /// the next begins. Gives what the user should know.
    pub fn keep(
        &mut self,
        book: &mut Book,
        tree: &mut Tree,
        stage: &Stage<'_>,
    ) -> Result<Vec<String>, AgentError> {
        let mut notices = Vec::new();
        if !self.set_aside.is_empty() {
            let kept = self.keep_contents(book, tree, stage, &mut notices);
            kept.map_err(unusable(self.work.path(), asides::NAME))?;
        }
        if let Some(new) = self.history.take() {
            new.publish(self.work).map_err(unusable(self.work.path(), history::NAME))?;
        }
        Ok(notices)
    }

    fn keep_contents(
        &mut self,
        book: &mut Book,
        tree: &mut Tree,
        stage: &Stage<'_>,
        notices: &mut Vec<String>,
    ) -> io::Result<()> {
        let mut keeper = asides::Keeper::begin(self.work)?;
        for (known, digest) in std::mem::take(&mut self.set_aside) {
            let Some(record) = book.records.get(known)? else { continue };
            let path = record.entry.path;
            let kept = match tree.open_file(&path) {
                Ok(file) => keeper.keep(file, &digest, &stage.other_name("aside", known))?,
                Err(_) => false,
            };
            if !kept {
                notices.push(format!("{path} was changed by others; a rollback can't restore it"));
            }
        }
        keeper.finish()
    }

    /// At pruning: removes the contents that nobody needs any more. Gives what the user should know.
    pub fn prune(&mut self) -> Vec<String> {
        let mut notices = Vec::new();
        for position in std::mem::take(&mut self.drop_aside) {
            let Some(aside) = self.asides.get(position as usize) else { continue };
            if let Err(error) = asides::remove(self.work.dir(), &aside.digest) {
                notices.push(format!("Can't remove {} that was set aside: {error}", aside.digest));
            }
        }
        notices
    }

    /// Opens a content that was set aside before.
    pub fn open(&self, position: u32) -> io::Result<std::fs::File> {
        let aside = self.asides.get(position as usize).ok_or(io::ErrorKind::NotFound)?;
        asides::open(self.work.dir(), &aside.digest)
    }

    /// How many contents were set aside before.
    pub fn asides(&self) -> u32 {
        self.asides.len() as u32
    }
}
