//! What `assetsync doctor` finds out about buckets.

use std::ffi::OsString;

use assetsync_bucket::{BucketError, BucketSettings};
use assetsync_core::text;
use assetsync_units::plural;

use super::destinations::NamedBucket;
use super::push_bucket::command_error;
use crate::error::CommandError;
use crate::ui::doctor::{DestinationObject, Way};

/// What is not found out, because that would change something.
const NOT_TRIED: &str = "whether the service honours If-Match and If-None-Match of PUT is not tried: \
    without that, two pushes at once can both win";

/// The bucket that is named by its URL; the environment says how it is reached.
pub fn named(name: &OsString) -> Result<NamedBucket, CommandError> {
    let label = text::name(name.as_encoded_bytes());
    let url = label.parse().map_err(|error| CommandError::usage(format!("{label}: {error}")))?;
    Ok(NamedBucket { label, url, settings: BucketSettings::default() })
}

/// Reaches a bucket, and changes nothing.
pub fn look(bucket: &NamedBucket) -> DestinationObject {
    let mut found = DestinationObject { destination: bucket.label.clone(), ..Default::default() };
    let diagnosis = match bucket.settings.diagnose(&bucket.url) {
        Ok(diagnosis) => diagnosis,
        Err(error) => return DestinationObject { error: Some(words(&error)), ..found },
    };
    found.reached_by = Some(format!("{} in region {}", diagnosis.url, diagnosis.region));
    found.credentials = Some(diagnosis.credentials);
    match diagnosis.objects {
        Ok(objects) => {
            found.state = Some(match objects {
                Some(count) => format!("the last push left {}", plural(count as u64, "object")),
                None => "no push has completed yet".to_owned(),
            });
            found.transport = Some(Way::S3);
            found.notes.push(NOT_TRIED.to_owned());
        }
        Err(error) => found.error = Some(words(&error)),
    }
    found
}

/// An error with what to do, in one line.
fn words(error: &BucketError) -> String {
    let CommandError { message, hints, .. } = command_error(error);
    [vec![message.into()], hints].concat().join("; ")
}
