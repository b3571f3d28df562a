//! Without the feature `buckets`, there are none to compare.

use super::options::Rollout;
use super::outcome::TargetOutcome;
use crate::history::DeployId;

pub(super) fn untried(_: &Rollout<'_>, _: &[TargetOutcome]) -> Vec<TargetOutcome> {
    Vec::new()
}

pub(super) fn verify(_: &Rollout<'_>) -> Vec<(TargetOutcome, Option<DeployId>)> {
    Vec::new()
}
