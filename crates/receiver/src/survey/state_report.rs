//! Reports the destination's state to the sender: in full, or as differences from the state that it
//! has cached.

use assetsync_core::protocol::ToSender;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::survey::index_entry::IndexEntry;

/// A state report. Consecutive entries of the same kind become one message.
pub struct StateReport<'a> {
    conversation: &'a mut Conversation,
    /// The sender has cached the index's state, so only differences are sent.
    differences_only: bool,
    run: Pending,
    /// Whether the state is that of the index.
    pub as_indexed: bool,
}

#[derive(Clone, Copy)]
enum Pending {
    Unchanged(u32),
    Removed(u32),
}

impl StateReport<'_> {
    /// Starts a report.
    pub fn new(conversation: &mut Conversation, differences_only: bool) -> StateReport<'_> {
        StateReport { conversation, differences_only, run: Pending::Unchanged(0), as_indexed: true }
    }

    /// Adds an entry that was found, and that of the index for the same path.
    pub fn found(
        &mut self,
        index_entry: &IndexEntry,
        indexed: Option<&IndexEntry>,
    ) -> Result<(), AgentError> {
        let now = index_entry.remote();
        match indexed {
            Some(indexed) if indexed.remote() == now => {
                return if self.differences_only {
                    self.unchanged()
                } else {
                    self.conversation.send(&ToSender::Entry(now))
                };
            }
            Some(_) => self.removed(1)?,
            None => {}
        }
        self.as_indexed = false;
        self.flush_pending()?;
        self.conversation.send(&ToSender::Entry(now))
    }

    fn unchanged(&mut self) -> Result<(), AgentError> {
        if let Pending::Removed(_) = self.run {
            self.flush_pending()?;
        }
        let Pending::Unchanged(count) = self.run else { return Ok(()) };
        self.run = Pending::Unchanged(count + 1);
        Ok(())
    }

    /// The next `more` entries of the index are gone or replaced.
    pub fn removed(&mut self, more: u32) -> Result<(), AgentError> {
        if more == 0 {
            return Ok(());
        }
        self.as_indexed = false;
        let before = match self.run {
            Pending::Removed(count) => count,
            Pending::Unchanged(_) => {
                self.flush_pending()?;
                0
            }
        };
        self.run = Pending::Removed(before + more);
        Ok(())
    }

    /// Sends the pending message.
    pub fn flush_pending(&mut self) -> Result<(), AgentError> {
        match std::mem::replace(&mut self.run, Pending::Unchanged(0)) {
            _ if !self.differences_only => Ok(()),
            Pending::Unchanged(0) => Ok(()),
            Pending::Unchanged(count) => self.conversation.send(&ToSender::Unchanged { count }),
            Pending::Removed(count) => self.conversation.send(&ToSender::Removed { count }),
        }
    }
}
