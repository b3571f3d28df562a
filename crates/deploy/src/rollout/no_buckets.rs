//! Without the feature `buckets`, a rollout has none.

use std::marker::PhantomData;
use std::sync::Arc;

use assetsync_sync::Report;

use super::error::RolloutError;
use super::options::Rollout;
use super::outcome::TargetOutcome;
use super::worker::{PushEvents, Work};

/// The buckets of a rollout: none.
pub(super) struct Buckets<'p>(PhantomData<&'p ()>);

/// What hears of the push to each bucket.
pub(super) fn watches<'p>(_: &'p Rollout<'_>) -> Vec<PushEvents<'p>> {
    Vec::new()
}

impl<'p> Buckets<'p> {
    pub fn new(_: &'p Rollout<'_>, _: &'p [Arc<Work>], _: &'p [PushEvents<'p>]) -> Buckets<'p> {
        Buckets(PhantomData)
    }

    pub fn stage(&mut self) -> Result<(), RolloutError> {
        Ok(())
    }

    pub fn publish(&mut self) -> Result<(), RolloutError> {
        Ok(())
    }

    pub fn put_back(&mut self) {}

    pub fn keep(&mut self, _: &[&str], _: &str) {}

    pub fn settle(&mut self) -> Result<(), RolloutError> {
        Ok(())
    }

    pub fn prune(&mut self) -> Result<(), RolloutError> {
        Ok(())
    }

    pub fn reports(&self) -> impl Iterator<Item = (usize, &Report)> {
        std::iter::empty()
    }

    pub fn outcomes(self) -> Vec<TargetOutcome> {
        Vec::new()
    }
}
