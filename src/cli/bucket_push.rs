//! `assetsync push SRC s3://bucket/prefix` as checked values.

use std::path::PathBuf;
use std::time::Duration;

use assetsync_bucket::{BucketSettings, BucketUrl};
use assetsync_core::text;
use assetsync_sync::{Options, Push};
use clap::ArgMatches;

use super::args::PushArguments;
use super::bucket::settings;
use super::connection::SshArguments;
use super::given::{first_of, is_given};
use super::options::{allowed, store_path};
use super::push_paths::is_bucket;
use super::rsync_options;
use crate::error::CommandError;

/// A checked push to buckets.
pub struct BucketPushOptions {
    /// The source, without a destination.
    pub push: Push,
    /// What is pushed and deleted.
    pub options: Options,
    /// The buckets; at least one.
    pub urls: Vec<BucketUrl>,
    /// How they are reached.
    pub settings: BucketSettings,
    /// Where this machine remembers states of buckets.
    pub memory: Option<PathBuf>,
    /// Whether only to find out what would be done.
    pub dry_run: bool,
    /// Whether buckets are listed, whatever their state says.
    pub list: bool,
}

impl BucketPushOptions {
    /// Checks the arguments; `matches` has their order.
    pub fn new(
        matches: &ArgMatches,
        arguments: PushArguments,
    ) -> Result<BucketPushOptions, CommandError> {
        rsync_options::refuse(matches)?;
        refuse_options_of_hosts(matches)?;
        let urls = urls(&arguments)?;
        let PushArguments { source, files, choice, memory, ssh, bucket, .. } = arguments;
        let options = allowed(matches, &choice, &memory)?;
        let mut push = Push::new(source)
            .options(options.clone())
            .dry_run(choice.dry_run)
            .store(store_path(&memory));
        push.extend(files);
        let timeout = Duration::from_secs(ssh.timeout.into());
        Ok(BucketPushOptions {
            push,
            options,
            urls,
            settings: settings(bucket, timeout)?,
            memory: store_path(&memory).map(|store| store.join("buckets")),
            dry_run: choice.dry_run,
            list: choice.checksum || choice.ignore_times,
        })
    }
}

/// Refuses options that say how hosts are reached, and ways that no bucket has.
fn refuse_options_of_hosts(matches: &ArgMatches) -> Result<(), CommandError> {
    let of_hosts = first_of::<SshArguments>(matches, &["timeout"]);
    let recipes = is_given(matches, "recipes").then(|| "--recipes".to_owned());
    match of_hosts.or(recipes) {
        Some(option) => {
            let text = format!("{option} is for hosts, and DEST is a bucket");
            Err(CommandError::usage(text).hint(format!("omit {option}")))
        }
        None => Ok(()),
    }
}

fn urls(arguments: &PushArguments) -> Result<Vec<BucketUrl>, CommandError> {
    let mut urls: Vec<BucketUrl> = Vec::new();
    for given in &arguments.destinations {
        let shown = text::name(given.as_encoded_bytes());
        if !is_bucket(given) {
            let text =
                format!("Buckets and other destinations can't be pushed to together: {shown}");
            let hint = "push to the buckets and to the others one after the other";
            return Err(CommandError::usage(text).hint(hint));
        }
        let url: BucketUrl = given
            .to_str()
            .unwrap_or_default()
            .parse()
            .map_err(|error| CommandError::usage(format!("Can't push to {shown}: {error}")))?;
        if urls.contains(&url) {
            return Err(CommandError::usage(format!("Destination {shown} is given twice")));
        }
        urls.push(url);
    }
    Ok(urls)
}
