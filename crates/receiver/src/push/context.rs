//! The directories and the conversation that all steps of a push work with.

use assetsync_core::limits;
use assetsync_core::protocol::{AgentStatistics, ToSender};
use assetsync_core::state::StateId;
use assetsync_tree::OpenTree;

use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::areas::Areas;
use crate::publishing::exchange::ExchangePoint;
use crate::staging::staging_area::StagingArea;
use crate::survey::agent_statistics;
use crate::work::file_names::FileNames;
use crate::work::work_dir::WorkDir;

/// The conversation and directories of a push.
pub struct PushContext<'p> {
    /// The connection with the sender.
    pub conversation: &'p mut Conversation,
    /// The destination.
    pub tree: OpenTree,
    /// The locked work directory.
    pub work: &'p WorkDir,
    /// The staging area in it.
    pub stage: StagingArea<'p>,
    /// All staging areas.
    pub areas: Areas<'p>,
    /// Where the whole directory is exchanged, if it is published at once.
    pub exchange_point: Option<ExchangePoint>,
    /// If files are pushed and not a directory: their names. Then the index, and what interrupted
    /// pushes of the directory left, stay as they are.
    pub names: Option<FileNames>,
    /// Files that the survey read.
    pub files_read: u64,
}

impl PushContext<'_> {
    /// The agent's statistics, and `state`, the id of the destination's state if the index has it.
    pub fn statistics(&self, state: Option<StateId>) -> AgentStatistics {
        let files_read = self.files_read + self.tree.opened_files();
        AgentStatistics { state, ..agent_statistics::read(Some(self.tree.root()), files_read) }
    }

    /// Whether what is in the staging area belongs to pushes of the whole directory.
    pub fn keeps_staged(&self) -> bool {
        self.names.is_some() && self.work.was_pushed()
    }

    /// Sends texts for the user.
    pub fn send_notices(&mut self, notices: &[String]) -> Result<(), AgentError> {
        notices.iter().try_for_each(|notice| {
            let text = &notice.as_bytes()[..notice.len().min(limits::ERROR_BYTES)];
            self.conversation.send(&ToSender::Notice(text))
        })
    }
}
