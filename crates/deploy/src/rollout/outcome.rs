//! The result of a rollout.

use assetsync_sync::Report;

use super::error::{RolloutError, TargetError};
use super::target::DeployTarget;
use super::target_status::KeptDeploy;
#[cfg(feature = "buckets")]
use crate::config::Deployment;
use crate::history::DeployId;

/// The result of a rollout.
#[derive(Debug)]
pub struct Outcome {
    /// The deploy's id, the same on all hosts.
    pub id: DeployId,
    /// All targets, in the deployment's order.
    pub targets: Vec<TargetOutcome>,
    /// The error that stopped the rollout; targets have their own errors.
    pub error: Option<RolloutError>,
    /// How often content was encoded: once for all targets in the same state.
    pub encodings: u64,
    /// Whether failed targets were to be excluded.
    pub keep_going: bool,
    /// Whether it ended with an error after it was cancelled.
    pub is_cancelled: bool,
    /// The deploy that a rollback brings back, and how many of its files were to be sent.
    pub restored: Option<KeptDeploy>,
    /// The rollback that followed, because visitors did not get what was published.
    pub rolled_back: Option<Box<Outcome>>,
    /// What was to be done after publishing, and was not, or not to its end.
    pub not_done: Vec<&'static str>,
}

/// The result of one target.
#[derive(Debug)]
pub struct TargetOutcome {
    /// The target's label.
    pub label: String,
    /// The host's position in the deployment; buckets come after all hosts.
    pub host: usize,
    /// Whether it is a bucket.
    pub is_bucket: bool,
    /// The set's position in the deployment.
    pub set: usize,
    /// The version it serves.
    pub served_version: ServedVersion,
    /// Whether there was nothing to do for it.
    pub is_skipped: bool,
    /// The label of another target that is the same directory, and to which the push went.
    pub same_as: Option<String>,
    /// The report of the push, once it is staged.
    pub report: Option<Report>,
    /// Why it failed.
    pub error: Option<TargetError>,
}

/// The version that a target serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedVersion {
    /// The version before the rollout.
    Old,
    /// The deployed version.
    New,
    /// The connection was lost while it published, or not all of a failed publishing could be put
    /// back: the old version, the new one, or a mixture.
    Unknown,
}

impl TargetOutcome {
    pub(super) fn of(target: &DeployTarget) -> TargetOutcome {
        TargetOutcome {
            label: target.label.clone(),
            host: target.host,
            is_bucket: false,
            set: target.set,
            served_version: ServedVersion::Old,
            is_skipped: false,
            same_as: None,
            report: None,
            error: None,
        }
    }

    /// Of the bucket at a position.
    #[cfg(feature = "buckets")]
    pub(super) fn of_bucket(deployment: &Deployment, at: usize) -> TargetOutcome {
        let bucket = &deployment.buckets[at];
        TargetOutcome {
            label: bucket.label.clone(),
            host: deployment.hosts.len() + at,
            is_bucket: true,
            set: bucket.set,
            served_version: ServedVersion::Old,
            is_skipped: false,
            same_as: None,
            report: None,
            error: None,
        }
    }
}
