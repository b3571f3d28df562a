//! Compares the buckets of a stage with what is live in them.

use assetsync_bucket::SurveyedBucket;

use super::bucket_targets::{failed, surveyed};
use super::error::TargetError;
use super::event::Event;
use super::options::Rollout;
use super::outcome::{ServedVersion, TargetOutcome};
use super::retention::known;
use super::target::chosen_buckets;
use crate::config::Bucket;
use crate::history::DeployId;

/// How many objects an error names.
const SHOWN: usize = 5;

/// The chosen buckets that are not among the outcomes, as nothing was tried there.
pub(super) fn untried(rollout: &Rollout<'_>, outcomes: &[TargetOutcome]) -> Vec<TargetOutcome> {
    let chosen = chosen_buckets(rollout.deployment, rollout.selection).into_iter();
    let all = chosen.map(|(at, _)| TargetOutcome::of_bucket(rollout.deployment, at));
    all.filter(|one| outcomes.iter().all(|other| other.host != one.host)).collect()
}

/// Compares what is in the chosen buckets with what is live there; gives the live deploy, too.
pub(super) fn verify(rollout: &Rollout<'_>) -> Vec<(TargetOutcome, Option<DeployId>)> {
    let verified = surveyed(rollout).into_iter().map(|((at, bucket), surveyed)| {
        let verified = surveyed.and_then(|surveyed| compare(rollout, bucket, &surveyed));
        let mut outcome = TargetOutcome::of_bucket(rollout.deployment, at);
        outcome.served_version = ServedVersion::New;
        match verified {
            Ok(id) => {
                outcome.report = Some(assetsync_sync::Report::default());
                (outcome, Some(id))
            }
            Err(reason) => {
                rollout.monitor.event(&Event::Failed { target: &bucket.label, reason: &reason });
                outcome.error = Some(reason);
                (outcome, None)
            }
        }
    });
    verified.collect()
}

fn compare(
    rollout: &Rollout<'_>,
    bucket: &Bucket,
    surveyed: &SurveyedBucket,
) -> Result<DeployId, TargetError> {
    let survey = surveyed.survey();
    if let Some(holder) = survey.lock_holder {
        return Err(TargetError::Locked(holder));
    }
    let known = known(&survey).map_err(TargetError::History)?;
    let live = known.history.live().ok_or(TargetError::NoDeploy)?;
    let id = known.history.deploys()[live].id;
    let verified = surveyed.verify().map_err(failed)?;
    let others = verified.unlike.len().saturating_sub(SHOWN);
    let shown: Vec<String> = verified.unlike.iter().take(SHOWN).map(ToString::to_string).collect();
    if !shown.is_empty() {
        return Err(TargetError::UnlikeObjects { shown, others });
    }
    // All are compared by the list.
    let (target, files) = (bucket.label.as_str(), (verified.all, verified.all));
    let headers = Some(verified.asked);
    rollout.monitor.event(&Event::Verified { target, files, headers });
    Ok(id)
}
