//! What has come of a rollout.

use assetsync_core::protocol::{Failure, FailureCode};
use assetsync_sync::{PushError, Report};

use super::target::DeployTarget;
use super::{CommandFailure, RolloutError};
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

/// Why a place can't go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The push failed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// A command failed on the host.
    #[error(transparent)]
    Command(#[from] CommandFailure),
    /// Its thread ended without a word.
    #[error("an error in assetsync itself ended the push there; please report it")]
    Ended,
    /// The system gives no more threads.
    #[error(
        "a thread for it can't be started here: {0}; lower max_parallel, or raise the limit on processes"
    )]
    NoThread(#[source] std::io::Error),
    /// The user can't write to the destination.
    #[error("{0} can't be written by the user who logs in")]
    NotWritable(String),
    /// The user can't read what is known of deploys there.
    #[error(
        "{failure}; only the user who deploys can read the history there: log in as that user (ssh.user), not as {user}"
    )]
    NotReadable {
        /// What the agent says, with the path.
        failure: Failure,
        /// Who logged in.
        user: String,
    },
    /// The history of deploys there can't be used.
    #[error("{0}")]
    History(String),
}

impl TargetError {
    /// Why a place could not be looked at.
    pub(super) fn of_survey(error: PushError, target: &DeployTarget) -> TargetError {
        match error {
            PushError::Agent(failure) if failure.code == FailureCode::Permission => {
                TargetError::NotReadable { failure, user: target.user() }
            }
            error => error.into(),
        }
    }
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
