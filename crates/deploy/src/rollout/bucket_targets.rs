//! The buckets of a stage: what is there.

use std::sync::Arc;

use assetsync_bucket::{BucketError, BucketLook};

use super::each::each;
use super::error::TargetError;
use super::options::Rollout;
use super::target::{SetSurvey, chosen_buckets};
use crate::config::Bucket;

/// Buckets that are looked at, at one time; each makes several requests at once.
const AT_A_TIME: usize = 4;

/// The positions of the asset sets that the chosen buckets get.
pub(super) fn sets(rollout: &Rollout<'_>) -> Vec<usize> {
    let chosen = chosen_buckets(rollout.deployment, rollout.selection);
    chosen.into_iter().map(|(_, bucket)| bucket.set).collect()
}

/// Surveys the chosen buckets.
pub(super) fn survey(rollout: &Rollout<'_>) -> Vec<SetSurvey> {
    let looks = look(rollout).into_iter().map(|((_, bucket), look)| SetSurvey {
        label: bucket.label.clone(),
        set: bucket.set,
        survey: look.map(|look| look.survey()),
    });
    looks.collect()
}

/// A bucket, with its position, and what is there.
pub(super) type Looked<'d> = ((usize, &'d Bucket), Result<BucketLook, TargetError>);

/// Looks at the chosen buckets.
pub(super) fn look<'d>(rollout: &Rollout<'d>) -> Vec<Looked<'d>> {
    let chosen = chosen_buckets(rollout.deployment, rollout.selection);
    let memory = rollout.engine.bucket_memory.as_deref();
    let look = |bucket: &Bucket| bucket.settings.look(&bucket.url, memory).map_err(failed);
    let looks = each(&chosen, AT_A_TIME, |(_, bucket)| look(bucket));
    looks.into_iter().map(|(bucket, look)| (*bucket, look)).collect()
}

/// The error of a bucket.
pub(super) fn failed(error: BucketError) -> TargetError {
    TargetError::Bucket(Arc::new(error))
}
