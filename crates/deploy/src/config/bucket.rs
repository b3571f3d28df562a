//! A bucket that gets assets together with the hosts of a stage.

#[cfg(feature = "buckets")]
use assetsync_bucket::{BucketSettings, BucketUrl};

#[cfg(feature = "buckets")]
/// A bucket of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// As it is written, to be shown.
    pub label: String,
    /// Where assets go.
    pub url: BucketUrl,
    /// How it is reached, and what objects are like.
    pub settings: BucketSettings,
    /// The position of the asset set that it gets.
    pub set: usize,
}

/// A bucket of a stage, of which there are none without the feature `buckets`.
#[cfg(not(feature = "buckets"))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bucket {}
