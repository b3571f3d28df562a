//! The buckets that get assets together with the hosts.

use assetsync_bucket::{Addressing, BucketSettings, Compression, HeaderRule, HeaderRules, Placing};

use super::AssetSet;
use super::build::DeploymentBuilder;
use crate::config::bucket::Bucket;
use crate::config::file::FileBucket;
use crate::config::problem::{Diagnostic, Problem};

impl DeploymentBuilder<'_> {
    pub(super) fn buckets(&mut self, assets: &[AssetSet]) -> Vec<Bucket> {
        let settings = self.settings;
        let mut buckets: Vec<Bucket> = Vec::new();
        for given in &settings.buckets {
            match bucket(given, assets) {
                Ok(bucket) if buckets.iter().any(|other| other.url == bucket.url) => {
                    self.refuse_bucket(given, ("url", "is given twice".to_owned()));
                }
                Ok(bucket) => buckets.push(bucket),
                Err(problem) => self.refuse_bucket(given, problem),
            }
        }
        buckets
    }

    fn refuse_bucket(&mut self, given: &FileBucket, (key, why): (&str, String)) {
        let (key, hint) = (format!("buckets.{key}"), "docs/buckets.md has all settings of buckets");
        let problem = Problem::Refused { key, why, hint };
        self.problems.push(Diagnostic::at(problem, given.span.clone()));
    }
}

/// Reads a bucket; a problem has the key and what is wrong with it.
fn bucket(given: &FileBucket, assets: &[AssetSet]) -> Result<Bucket, (&'static str, String)> {
    let text = |key: &str| given.text(key);
    let label = text("url").unwrap_or_default();
    let url = label.parse().map_err(|error| ("url", format!("can't be used: {error}")))?;
    let addressing = match text("addressing").as_deref() {
        None => None,
        Some("path") => Some(Addressing::Path),
        Some("host") => Some(Addressing::VirtualHost),
        Some(_) => return Err(("addressing", "is neither path nor host".to_owned())),
    };
    let placing = match text("encoding").as_deref() {
        None => Placing::OwnKeys,
        Some("gzip") => Placing::InPlace(Compression::Gzip),
        Some("br") => Placing::InPlace(Compression::Brotli),
        Some("zstd") => Placing::InPlace(Compression::Zstd),
        Some(_) => return Err(("encoding", "is neither gzip, br nor zstd".to_owned())),
    };
    let rules = given.headers.iter().map(|rule| rule.setting_value.plain().parse());
    let rules: Result<Vec<HeaderRule>, _> = rules.collect();
    let rules = rules.map_err(|error| ("headers", format!("can't be used: {error}")))?;
    let set = match (text("assets"), assets) {
        (None, [_]) => Some(0),
        (None, _) => return Err(("assets", "is missing: it names one of the sets".to_owned())),
        (Some(name), sets) => sets.iter().position(|set| set.name == name),
    };
    let set = set.ok_or(("assets", "names no set of assets".to_owned()))?;
    let settings = BucketSettings {
        endpoint: text("endpoint"),
        region: text("region"),
        addressing,
        rules: HeaderRules { placing, rules },
        ..BucketSettings::default()
    };
    Ok(Bucket { label, url, settings, set })
}
