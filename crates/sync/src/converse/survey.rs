//! What is known of a destination before anything is planned.

use assetsync_core::protocol::AgentStatistics;
use assetsync_core::state::{RemoteEntry, RetainedContent, State};

/// The state of a destination, with the records of deploys there.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What stands there.
    pub state: State,
    /// The history of deploys, byte for byte as it was written; empty where there is none.
    pub history: Vec<u8>,
    /// The contents that are set aside there.
    pub retained_contents: Vec<RetainedContent>,
    /// What the agent tells of itself, its clock and its rights.
    pub statistics: AgentStatistics,
}

/// What the sender remembers of a destination.
#[derive(Debug, Clone, Default)]
pub struct CachedSurvey {
    /// What stood there, in tree order.
    pub entries: Vec<RemoteEntry>,
    /// Its history; empty if it is not known, or not wanted.
    pub history: Vec<u8>,
}
