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

impl Bucket {
    /// Whether it is called so: by its URL, as it is written or with a slash at its end.
    #[cfg(feature = "buckets")]
    pub fn is_named(&self, name: &str) -> bool {
        self.label == name || name.parse().is_ok_and(|url| self.url == url)
    }

    /// There is none to be named.
    #[cfg(not(feature = "buckets"))]
    pub fn is_named(&self, _: &str) -> bool {
        match *self {}
    }
}
