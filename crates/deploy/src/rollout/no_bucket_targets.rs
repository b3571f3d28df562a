//! Without the feature `buckets`, a stage has none.

use super::options::Rollout;
use super::target::SetSurvey;

pub(super) fn sets(_: &Rollout<'_>) -> Vec<usize> {
    Vec::new()
}

pub(super) fn survey(_: &Rollout<'_>) -> Vec<SetSurvey> {
    Vec::new()
}
