//! The options of a race.

use std::path::PathBuf;

use assetsync_link::LinkSpec;
use assetsync_ssh::{RemoteTarget, SshOptions};

use crate::competitor::Competitor;
use crate::scenario::Scenario;

/// The options of a race.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The older build.
    pub old: PathBuf,
    /// The newer build.
    pub new: PathBuf,
    /// A directory of the user's own host; without one, a throw-away sshd on loopback is started.
    pub to: Option<RemoteTarget>,
    /// Options to connect to that host.
    pub ssh: SshOptions,
    /// The links to race on, one after the other.
    pub links: Vec<LinkSpec>,
    /// Runs of each competitor in each scenario.
    pub runs: u32,
    /// The competitors; the others are compared to the first.
    pub competitors: Vec<Competitor>,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// The assetsync program, which also measures the sessions of the throw-away sshd.
    pub assetsync: PathBuf,
}
