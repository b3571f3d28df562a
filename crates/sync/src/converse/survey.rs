//! The survey of a destination, before anything is planned.

use assetsync_core::protocol::AgentStatistics;
use assetsync_core::state::{RemoteEntry, RetainedContent, State};

/// The state of a destination, with the records of deploys there.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The state.
    pub state: State,
    /// The history of deploys, byte for byte as it was written; empty if there is none.
    pub history: Vec<u8>,
    /// Where it is, to be shown.
    pub history_path: String,
    /// The retained contents.
    pub retained_contents: Vec<RetainedContent>,
    /// Who has locked the destination for a push that is running, if anybody has. Only found out
    /// where nothing is changed.
    pub lock_holder: Option<String>,
    /// The agent's report about itself, its clock and its permissions.
    pub statistics: AgentStatistics,
}

/// The cached survey of a destination.
#[derive(Debug, Clone, Default)]
pub struct CachedSurvey {
    /// The entries, in tree order.
    pub entries: Vec<RemoteEntry>,
    /// The history; empty if it is not known, or not needed.
    pub history: Vec<u8>,
}
