//! How a bucket would be pushed to; changes nothing.

use super::connect::BucketSettings;
use super::surveyed::decoded;
use crate::error::BucketError;
use crate::http::client::Client;
use crate::objects::{Objects, Read};
use crate::state::STATE;
use crate::url::BucketUrl;

/// How a bucket would be pushed to.
#[derive(Debug)]
pub struct BucketDiagnosis {
    /// The URL of the bucket.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What says where the credentials come from.
    pub credentials: String,
    /// How many objects the last push left, if any has completed; or why that can't be read.
    pub objects: Result<Option<usize>, BucketError>,
}

impl BucketSettings {
    /// Lists one object and reads the state of the last push. An error is one of the settings.
    pub fn diagnose(&self, url: &BucketUrl) -> Result<BucketDiagnosis, BucketError> {
        let setup = self.setup()?;
        let client = self.client(url, &setup)?;
        Ok(BucketDiagnosis {
            url: client.base_url().to_owned(),
            region: setup.region,
            credentials: setup.found_in,
            objects: objects_of(&client, url),
        })
    }
}

fn objects_of(client: &Client, url: &BucketUrl) -> Result<Option<usize>, BucketError> {
    let objects = Objects { client, bucket: url.bucket(), prefix: url.prefix() };
    objects.list_one()?;
    let Read::Found { content, .. } = objects.read(STATE, None)? else { return Ok(None) };
    let state = decoded(&objects, &content)?;
    Ok(state.completed.then_some(state.objects.len()))
}
