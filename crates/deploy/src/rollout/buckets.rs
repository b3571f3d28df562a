//! The buckets of a rollout: staged with the hosts, published before any of them goes live, and put
//! back if hosts then fail and none serves what is new.

use std::path::Path;
use std::sync::Arc;

use assetsync_bucket::{BucketError, BucketPush, LiveBucket, SettledBucket, StagedBucket};
use assetsync_core::text;
use assetsync_sync::Report;

use super::error::{RolloutError, TargetError};
use super::event::{Event, Monitor};
use super::options::Rollout;
use super::outcome::{ServedVersion, TargetOutcome};
use super::payload::PayloadKind;
use super::pipeline::bucket_failed;
use super::target::chosen_buckets;
use super::worker::{PushEvents, Work};
use crate::command::Secrets;

/// How far a bucket is.
enum Step<'p> {
    Planned(Box<BucketPush<'p>>),
    Staged(Box<StagedBucket<'p>>),
    Live(Box<LiveBucket<'p>>),
    Settled(Box<SettledBucket<'p>>),
    Over,
}

/// A bucket in a rollout.
struct Rolled<'p> {
    step: Step<'p>,
    outcome: TargetOutcome,
}

/// The buckets of a rollout, which are all at the same step.
pub(super) struct Buckets<'p> {
    buckets: Vec<Rolled<'p>>,
    monitor: &'p dyn Monitor,
    secrets: Secrets,
}

/// What hears of the push to each bucket.
pub(super) fn watches<'p>(rollout: &'p Rollout<'_>) -> Vec<PushEvents<'p>> {
    let watch = |label| PushEvents { target: label, monitor: &*rollout.monitor };
    let chosen = chosen_buckets(rollout.deployment, rollout.selection).into_iter();
    chosen.map(|(_, bucket)| watch(&bucket.label)).collect()
}

impl<'p> Buckets<'p> {
    /// The buckets that get one of these payloads.
    pub fn new(
        rollout: &'p Rollout<'_>,
        works: &'p [Arc<Work>],
        watches: &'p [PushEvents<'p>],
    ) -> Buckets<'p> {
        let memory: Option<&Path> = rollout.engine.bucket_memory.as_deref();
        let dry_run = rollout.selection.dry_run;
        let chosen = chosen_buckets(rollout.deployment, rollout.selection).into_iter();
        let buckets = chosen.zip(watches).filter_map(|((at, bucket), watch)| {
            let work = works.iter().find(|work| work.payload.set == bucket.set)?;
            let payload = &work.payload;
            let push = BucketPush {
                source: &payload.source,
                options: &payload.options,
                url: &bucket.url,
                settings: &bucket.settings,
                memory,
                dry_run,
                // Retention is about what is there, whoever put it there.
                list: true,
                decide: Some(&*payload.decide),
                restores: payload.kind == PayloadKind::Restored,
                monitor: watch,
            };
            let outcome = TargetOutcome::of_bucket(rollout.deployment, at);
            Some(Rolled { step: Step::Planned(Box::new(push)), outcome })
        });
        let secrets = rollout.secrets();
        Buckets { buckets: buckets.collect(), monitor: &*rollout.monitor, secrets }
    }

    /// Sends everything; nothing that visitors get changes.
    pub fn stage(&mut self) -> Result<(), RolloutError> {
        let monitor = self.monitor;
        self.each(|outcome, step| match step {
            Step::Planned(push) => {
                let staged = push.stage()?;
                let report = staged.report();
                monitor.event(&Event::Staged { target: &outcome.label, report });
                outcome.report = Some(report.clone());
                Ok(Step::Staged(Box::new(staged)))
            }
            other => Ok(other),
        })
    }

    /// Publishes all; if one fails, none is published.
    pub fn publish(&mut self) -> Result<(), RolloutError> {
        let monitor = self.monitor;
        let published = self.each(|outcome, step| match step {
            Step::Staged(staged) => {
                let live = staged.publish().inspect_err(|error| {
                    if matches!(error, BucketError::NotPutBack { .. }) {
                        outcome.served_version = ServedVersion::Unknown;
                    }
                })?;
                monitor.event(&Event::Published { target: &outcome.label });
                outcome.served_version = ServedVersion::New;
                Ok(Step::Live(Box::new(live)))
            }
            other => Ok(other),
        });
        if published.is_err() {
            self.put_back();
        }
        published
    }

    /// Puts back what is published, because something else failed.
    pub fn put_back(&mut self) {
        self.end_live(|label, outcome, live| {
            let (version, text) = match live.put_back() {
                Ok(()) => (ServedVersion::Old, format!("{label} is put back as it was")),
                Err(error) => {
                    let text = format!("{label} could not be put back as it was: {error}");
                    (ServedVersion::Unknown, text)
                }
            };
            outcome.served_version = version;
            text
        });
    }

    /// Leaves what is published, and what was there before, where `hosts` may serve pages of
    /// another version than the rest, the `old` or the `new` one.
    pub fn keep(&mut self, hosts: &[&str], version: &str) {
        let hosts = hosts.join(", ");
        self.end_live(|label, outcome, live| match live.keep() {
            Ok(()) => format!(
                "{label} is new, and nothing old is deleted there, because {hosts} may serve the \
                 {version} version; the next deploy deletes it"
            ),
            Err(error) => {
                let text = format!("{label} is new, but that could not be written down: {error}");
                outcome.error = Some(TargetError::Bucket(Arc::new(error)));
                text
            }
        });
    }

    /// Ends what is live, and tells what became of it.
    fn end_live(&mut self, end: impl Fn(&str, &mut TargetOutcome, Box<LiveBucket<'p>>) -> String) {
        for Rolled { step, outcome } in &mut self.buckets {
            if let Step::Live(live) = std::mem::replace(step, Step::Over) {
                let label = text::line(outcome.label.as_bytes());
                let text = &self.secrets.redact(&end(&label, outcome, live));
                self.monitor.event(&Event::Notice { target: None, text });
            }
        }
    }

    /// Writes down what is live, which lets other pushes begin.
    pub fn settle(&mut self) -> Result<(), RolloutError> {
        self.each(|_, step| match step {
            Step::Live(live) => Ok(Step::Settled(Box::new(live.settle()?))),
            other => Ok(other),
        })
    }

    /// Deletes what nobody wants any more.
    pub fn prune(&mut self) -> Result<(), RolloutError> {
        let monitor = self.monitor;
        self.each(|outcome, step| match step {
            Step::Settled(settled) => {
                settled.prune()?;
                let pruned = outcome.report.as_ref().map(|report| (report.pruned, report.removed));
                if let Some((paths, removed)) = pruned.filter(|(paths, _)| *paths > 0) {
                    monitor.event(&Event::Pruned { target: &outcome.label, paths, removed });
                }
                Ok(Step::Over)
            }
            other => Ok(other),
        })
    }

    /// The asset set and the report of each bucket.
    pub fn reports(&self) -> impl Iterator<Item = (usize, &Report)> {
        let outcomes = self.buckets.iter().map(|bucket| &bucket.outcome);
        outcomes.filter_map(|outcome| Some((outcome.set, outcome.report.as_ref()?)))
    }

    /// What has become of every bucket.
    pub fn outcomes(self) -> Vec<TargetOutcome> {
        self.buckets.into_iter().map(|bucket| bucket.outcome).collect()
    }

    /// Takes every bucket to its next step, until one fails.
    fn each(
        &mut self,
        next: impl Fn(&mut TargetOutcome, Step<'p>) -> Result<Step<'p>, BucketError>,
    ) -> Result<(), RolloutError> {
        for Rolled { step, outcome } in &mut self.buckets {
            let taken = std::mem::replace(step, Step::Over);
            *step = next(outcome, taken).map_err(|error| {
                let error = Arc::new(error);
                outcome.error = Some(TargetError::Bucket(Arc::clone(&error)));
                bucket_failed(outcome.label.clone(), TargetError::Bucket(error))
            })?;
        }
        Ok(())
    }
}
