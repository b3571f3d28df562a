//! What has come of a rollout.

use assetsync_sync::Report;

use super::error::{RolloutError, TargetError};
use super::target::DeployTarget;
use crate::history::DeployId;

/// What has come of a rollout.
#[derive(Debug)]
pub struct Outcome {
    /// The deploy's name, the same on all hosts.
    pub id: DeployId,
    /// All places, in the deployment's order.
    pub targets: Vec<TargetOutcome>,
    /// What stopped the rollout, beside what places say.
    pub error: Option<RolloutError>,
    /// How often content was encoded: once for all places in the same state.
    pub encodings: u64,
    /// Whether places that failed were to be left out.
    pub keep_going: bool,
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutResult {
    /// All that was wanted is done everywhere.
    Done,
    /// All that was wanted is done where it could be, and some places were left out.
    Partly,
    /// It was stopped.
    Failed,
}

/// What has come of one place.
#[derive(Debug)]
pub struct TargetOutcome {
    /// The place's label.
    pub label: String,
    /// The host's position in the deployment.
    pub host: usize,
    /// The set's position in the deployment.
    pub set: usize,
    /// What is served there.
    pub served_version: ServedVersion,
    /// What was sent, once it was staged.
    pub report: Option<Report>,
    /// Why it did not go on.
    pub error: Option<TargetError>,
}

/// What is served at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedVersion {
    /// What was there before.
    Old,
    /// What was deployed.
    New,
    /// It was lost while it published: either of the two, or on the way from one to the other.
    Unknown,
}

impl TargetOutcome {
    pub(super) fn of(target: &DeployTarget) -> TargetOutcome {
        TargetOutcome {
            label: target.label.clone(),
            host: target.host,
            set: target.set,
            served_version: ServedVersion::Old,
            report: None,
            error: None,
        }
    }
}

impl Outcome {
    /// How it ended.
    pub fn rollout_result(&self) -> RolloutResult {
        let failed = self.targets.iter().filter(|target| target.error.is_some()).count();
        let is_live = self.targets.iter().any(|target| target.served_version == ServedVersion::New);
        match (&self.error, failed) {
            (None, 0) => RolloutResult::Done,
            (None, _) if self.keep_going && is_live => RolloutResult::Partly,
            _ => RolloutResult::Failed,
        }
    }
}
