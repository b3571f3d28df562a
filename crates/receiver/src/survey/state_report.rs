//! Tells the sender what stands at the destination: as differences from what it remembers, or in full.

use assetsync_core::protocol::ToSender;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::survey::index_entry::IndexEntry;

/// What is being told. Runs of the same kind are gathered into one message.
pub struct StateReport<'a> {
    conversation: &'a mut Conversation,
    /// The sender remembers what the index says, so only differences are told.
    differences_only: bool,
    run: Pending,
    /// Nothing was other than the index says.
    pub as_indexed: bool,
}

#[derive(Clone, Copy)]
enum Pending {
    Kept(u32),
    Dropped(u32),
}

impl StateReport<'_> {
    /// Starts to tell.
    pub fn new(conversation: &mut Conversation, differences_only: bool) -> StateReport<'_> {
        StateReport { conversation, differences_only, run: Pending::Kept(0), as_indexed: true }
    }

    /// A path where `record` stands now, and where the index says `indexed` stood.
    pub fn found(
        &mut self,
        record: &IndexEntry,
        indexed: Option<&IndexEntry>,
    ) -> Result<(), AgentError> {
        let now = record.remote();
        match indexed {
            Some(indexed) if indexed.remote() == now => {
                return if self.differences_only {
                    self.kept()
                } else {
                    self.conversation.send(&ToSender::Entry(now))
                };
            }
            Some(_) => self.dropped(1)?,
            None => {}
        }
        self.as_indexed = false;
        self.flush_pending()?;
        self.conversation.send(&ToSender::Entry(now))
    }

    fn kept(&mut self) -> Result<(), AgentError> {
        if let Pending::Dropped(_) = self.run {
            self.flush_pending()?;
        }
        let Pending::Kept(count) = self.run else { return Ok(()) };
        self.run = Pending::Kept(count + 1);
        Ok(())
    }

    /// The next `more` paths of the index are gone, or something else stands there.
    pub fn dropped(&mut self, more: u32) -> Result<(), AgentError> {
        if more == 0 {
            return Ok(());
        }
        self.as_indexed = false;
        let before = match self.run {
            Pending::Dropped(count) => count,
            Pending::Kept(_) => {
                self.flush_pending()?;
                0
            }
        };
        self.run = Pending::Dropped(before + more);
        Ok(())
    }

    /// Says what has gathered.
    pub fn flush_pending(&mut self) -> Result<(), AgentError> {
        match std::mem::replace(&mut self.run, Pending::Kept(0)) {
            _ if !self.differences_only => Ok(()),
            Pending::Kept(0) => Ok(()),
            Pending::Kept(count) => self.conversation.send(&ToSender::Unchanged { count }),
            Pending::Dropped(count) => self.conversation.send(&ToSender::Removed { count }),
        }
    }
}
