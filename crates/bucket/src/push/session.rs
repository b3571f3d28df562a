//! A push to a bucket, and what its steps share.

use std::path::Path;

use assetsync_sync::{Decide, Monitor, Options, Source};

use super::connect::BucketSettings;
use super::progress::Progress;
use crate::http::client::Client;
use crate::objects::Objects;
use crate::url::BucketUrl;

/// A source, pushed to a bucket.
#[derive(Clone, Copy)]
pub struct BucketPush<'p> {
    /// The source.
    pub source: &'p Source,
    /// What is pushed and deleted, as for any other destination.
    pub options: &'p Options,
    /// Where to.
    pub url: &'p BucketUrl,
    /// How the bucket is reached, and what objects are like.
    pub settings: &'p BucketSettings,
    /// The folder in which this machine remembers states of buckets.
    pub memory: Option<&'p Path>,
    /// Only find out what would be done.
    pub dry_run: bool,
    /// List the bucket, whatever its state says.
    pub list: bool,
    /// Decides what a deploy deletes and retains.
    pub decide: Option<&'p Decide<'p>>,
    /// The source is an earlier deploy, as a history has it. Where that is the bucket's own, files
    /// stored in place of plain ones have the plain one's name.
    pub restores: bool,
    /// Who hears of it.
    pub monitor: &'p dyn Monitor,
}

/// What the steps of a push share.
pub struct Session<'s> {
    /// The objects of the destination.
    pub objects: Objects<'s>,
    /// The source.
    pub source: &'s Source,
    /// Who pushes.
    pub who: &'s str,
    /// Who hears of it.
    pub progress: Progress<'s>,
}

impl BucketPush<'_> {
    pub(super) fn session<'s>(&'s self, client: &'s Client) -> Session<'s> {
        let (bucket, prefix) = (self.url.bucket(), self.url.prefix());
        Session {
            objects: Objects { client, bucket, prefix },
            source: self.source,
            who: &self.options.who,
            progress: Progress::new(self.monitor),
        }
    }
}
