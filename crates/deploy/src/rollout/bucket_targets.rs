//! The buckets of a stage: what is there.

use std::sync::Arc;

use assetsync_bucket::{BucketError, Placing, SurveyedBucket};

use super::each::each;
use super::error::TargetError;
use super::options::Rollout;
use super::target::{SetSurvey, chosen_buckets};
use crate::config::Bucket;

/// Buckets that are surveyed at one time; each takes several requests at once.
const AT_A_TIME: usize = 4;

/// The positions of the asset sets that the chosen buckets get.
pub(super) fn sets(rollout: &Rollout<'_>) -> Vec<usize> {
    let chosen = chosen_buckets(rollout.deployment, rollout.selection);
    chosen.into_iter().map(|(_, bucket)| bucket.set).collect()
}

/// Surveys the chosen buckets.
pub(super) fn survey(rollout: &Rollout<'_>) -> Vec<SetSurvey> {
    let surveys = surveyed(rollout).into_iter().map(|((_, bucket), surveyed)| SetSurvey {
        label: bucket.label.clone(),
        set: bucket.set,
        in_place: in_place(bucket),
        survey: surveyed.map(|surveyed| surveyed.survey()),
    });
    surveys.collect()
}

/// What the names of the compressed files end with that are stored in place of plain ones.
fn in_place(bucket: &Bucket) -> Option<&'static str> {
    match bucket.settings.rules.placing {
        Placing::OwnKeys => None,
        Placing::InPlace(compression) => Some(compression.suffix()),
    }
}

/// A bucket, with its position, and what is there.
pub(super) type Surveyed<'d> = ((usize, &'d Bucket), Result<SurveyedBucket, TargetError>);

/// The chosen buckets with what is in them.
pub(super) fn surveyed<'d>(rollout: &Rollout<'d>) -> Vec<Surveyed<'d>> {
    let chosen = chosen_buckets(rollout.deployment, rollout.selection);
    let memory = rollout.engine.bucket_memory.as_deref();
    let survey = |bucket: &Bucket| bucket.settings.survey(&bucket.url, memory).map_err(failed);
    let surveys = each(&chosen, AT_A_TIME, |(_, bucket)| survey(bucket));
    surveys.into_iter().map(|(bucket, surveyed)| (*bucket, surveyed)).collect()
}

/// The error of a bucket.
pub(super) fn failed(error: BucketError) -> TargetError {
    TargetError::Bucket(Arc::new(error))
}
