//! Tells the sender what stands at the destination: as differences from what it remembers, or in full.

use super::conversation::Conversation;
use super::error::AgentError;
use crate::fs::record::Record;
use crate::proto::Message;

/// What is being told. Runs of the same kind are gathered into one message.
pub struct Telling<'a> {
    talk: &'a mut Conversation,
    /// The sender remembers what the index says, so only differences are told.
    differences_only: bool,
    run: Run,
    /// Nothing was other than the index says.
    pub as_indexed: bool,
}

#[derive(Clone, Copy)]
enum Run {
    Kept(u32),
    Dropped(u32),
}

impl Telling<'_> {
    /// Starts to tell.
    pub fn new(talk: &mut Conversation, differences_only: bool) -> Telling<'_> {
        Telling { talk, differences_only, run: Run::Kept(0), as_indexed: true }
    }

    /// A path where `record` stands now, and where the index says `indexed` stood.
    pub fn found(&mut self, record: &Record, indexed: Option<&Record>) -> Result<(), AgentError> {
        let now = record.remote();
        match indexed {
            Some(indexed) if indexed.remote() == now => {
                return if self.differences_only {
                    self.kept()
                } else {
                    self.talk.send(&Message::Entry(now))
                };
            }
            Some(_) => self.dropped(1)?,
            None => {}
        }
        self.as_indexed = false;
        self.end_run()?;
        self.talk.send(&Message::Entry(now))
    }

    fn kept(&mut self) -> Result<(), AgentError> {
        if let Run::Dropped(_) = self.run {
            self.end_run()?;
        }
        let Run::Kept(count) = self.run else { return Ok(()) };
        self.run = Run::Kept(count + 1);
        Ok(())
    }

    /// The next `more` paths of the index are gone, or something else stands there.
    pub fn dropped(&mut self, more: u32) -> Result<(), AgentError> {
        if more == 0 {
            return Ok(());
        }
        self.as_indexed = false;
        let before = match self.run {
            Run::Dropped(count) => count,
            Run::Kept(_) => {
                self.end_run()?;
                0
            }
        };
        self.run = Run::Dropped(before + more);
        Ok(())
    }

    /// Says what has gathered.
    pub fn end_run(&mut self) -> Result<(), AgentError> {
        match std::mem::replace(&mut self.run, Run::Kept(0)) {
            _ if !self.differences_only => Ok(()),
            Run::Kept(0) => Ok(()),
            Run::Kept(count) => self.talk.send(&Message::Kept { count }),
            Run::Dropped(count) => self.talk.send(&Message::Dropped { count }),
        }
    }
}
