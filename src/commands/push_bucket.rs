//! `assetsync push SRC s3://bucket/prefix`.

use std::sync::Arc;

use assetsync_bucket::{BucketError, BucketPush, BucketUrl, Refusal};
use assetsync_sync::{Monitor, PreparedPush};
use clap::ArgMatches;

use super::source_warnings::warn_of_source;
use crate::cli::args::PushArguments;
use crate::cli::bucket_push::BucketPushOptions;
use crate::cli::options::labels;
use crate::cli::stage_options;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::interrupt;
use crate::ui::monitor::Watch;
use crate::ui::outcome::{self, Reporter};
use crate::ui::push_states::PushStates;

/// Pushes to one bucket after the other.
pub fn run(matches: &ArgMatches, arguments: PushArguments, console: &Arc<Console>) -> Exit {
    let labels = labels(&arguments.destinations);
    let dry_run = arguments.choice.dry_run;
    let states = Arc::new(PushStates::new(&labels, dry_run));
    interrupt::watch(console, &states);
    let reporter = Reporter::new(console, &arguments.output, dry_run);
    let options =
        stage_options::refuse(matches).and_then(|()| BucketPushOptions::new(matches, arguments));
    let done = reporter.and_then(|reporter| {
        let terminal = Terminal { console, labels: &labels, reporter: &reporter, states: &states };
        terminal.push(&options?)
    });
    let exit = done.unwrap_or_else(|error| {
        outcome::not_started(console, &labels, dry_run, &error);
        error.exit
    });
    console.finish(exit)
}

/// Shows pushes on the terminal, or as JSON.
struct Terminal<'a> {
    console: &'a Arc<Console>,
    /// The buckets as they were given.
    labels: &'a [String],
    reporter: &'a Reporter<'a>,
    states: &'a PushStates,
}

impl Terminal<'_> {
    fn push(&self, options: &BucketPushOptions) -> Result<Exit, CommandError> {
        let prepared = options.push.prepare().map_err(|error| CommandError::from(&error))?;
        warn_of_source(self.console, &prepared);
        let buckets = self.labels.iter().zip(&options.urls);
        let exits: Vec<Exit> =
            buckets.map(|(label, url)| self.push_to(label, options, &prepared, url)).collect();
        Ok(Exit::of_all(&exits))
    }

    fn push_to(
        &self,
        label: &str,
        options: &BucketPushOptions,
        prepared: &PreparedPush<'_>,
        url: &BucketUrl,
    ) -> Exit {
        let watch = Watch::new(self.console, label, self.states);
        let pushed = bucket_push(options, prepared, url, &watch).run();
        drop(watch);
        self.states.ended(label, pushed.is_ok());
        let result = pushed.map_err(|error| command_error(&error));
        self.reporter.bucket(label, &result, &prepared.source)
    }
}

fn bucket_push<'p>(
    options: &'p BucketPushOptions,
    prepared: &'p PreparedPush<'_>,
    url: &'p BucketUrl,
    monitor: &'p dyn Monitor,
) -> BucketPush<'p> {
    let has_store = matches!(prepared.store, Ok(Some(_)));
    BucketPush {
        source: &prepared.source,
        options: &options.options,
        url,
        settings: &options.settings,
        memory: options.memory.as_deref().filter(|_| has_store),
        dry_run: options.dry_run,
        list: options.list,
        decide: None,
        restores: false,
        monitor,
    }
}

/// An error as it is printed, with what to do.
pub fn command_error(error: &BucketError) -> CommandError {
    if let BucketError::Push(error) = error {
        return CommandError::from(error);
    }
    let plain = match error.is_usage() {
        true => CommandError::usage(error),
        false => CommandError::failed(error),
    };
    match hint(error) {
        Some(hint) => plain.hint(hint),
        None => plain,
    }
}

fn hint(error: &BucketError) -> Option<&'static str> {
    Some(match error {
        BucketError::State { .. } => {
            "to start anew, delete that object; the next push lists the bucket"
        }
        BucketError::BusyHere => "wait until the other push has ended, then push again",
        BucketError::Memory { .. } => "--store DIR uses another directory, --no-store none",
        _ => match error.refusal()? {
            Refusal::NoBucket => {
                "create the bucket first, or correct its name; --endpoint names the service"
            }
            Refusal::Forbidden => {
                "a push needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject for the \
                 bucket and its objects (docs/buckets.md has a policy)"
            }
            Refusal::BadCredentials => {
                "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; --endpoint names \
                 the service they are for"
            }
            Refusal::Expired => "get new credentials and push again; what was sent is used",
            Refusal::Clock => "set the clock of this machine",
            Refusal::Region => "--region REGION names the bucket's region",
            Refusal::Busy => "the service was busy for too long; push again later",
            _ => return None,
        },
    })
}
