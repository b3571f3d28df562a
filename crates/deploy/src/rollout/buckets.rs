//! The buckets of a rollout: staged with the hosts, published before any of them goes live, and put
//! back if hosts then fail.

use std::path::Path;
use std::sync::Arc;

use assetsync_bucket::{BucketError, BucketPush, LiveBucket, Placing, SettledBucket, StagedBucket};
use assetsync_core::text;

use super::error::RolloutError;
use super::event::{Event, Monitor};
use super::options::Rollout;
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
    label: &'p str,
    step: Step<'p>,
}

/// The buckets of a rollout, which are all at the same step.
pub(super) struct Buckets<'p> {
    buckets: Vec<Rolled<'p>>,
    monitor: &'p dyn Monitor,
    secrets: Secrets,
}

/// What hears of the push to each bucket.
pub(super) fn watches<'p>(rollout: &'p Rollout<'_>) -> Vec<PushEvents<'p>> {
    let buckets = chosen(rollout).then_some(&rollout.deployment.buckets).into_iter().flatten();
    let watch = |label| PushEvents { target: label, monitor: &*rollout.monitor };
    buckets.map(|bucket| watch(&bucket.label)).collect()
}

/// Refuses to roll back where a history does not say which objects are compressed.
pub(super) fn refuse_rollback(rollout: &Rollout<'_>) -> Result<(), RolloutError> {
    let buckets = chosen(rollout).then_some(&rollout.deployment.buckets).into_iter().flatten();
    let mut encoded = buckets.filter(|bucket| bucket.settings.rules.placing != Placing::OwnKeys);
    match encoded.next() {
        Some(bucket) => Err(RolloutError::Encoded(bucket.label.clone())),
        None => Ok(()),
    }
}

/// Whether all of the stage is rolled out. Whoever names hosts or roles means these alone.
fn chosen(rollout: &Rollout<'_>) -> bool {
    rollout.selection.hosts.is_empty() && rollout.selection.roles.is_empty()
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
        let buckets = rollout.deployment.buckets.iter().zip(watches);
        let buckets = buckets.filter_map(|(bucket, watch)| {
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
                monitor: watch,
            };
            Some(Rolled { label: &bucket.label, step: Step::Planned(Box::new(push)) })
        });
        let secrets = rollout.secrets();
        Buckets { buckets: buckets.collect(), monitor: &*rollout.monitor, secrets }
    }

    /// Sends everything; nothing that visitors get changes.
    pub fn stage(&mut self) -> Result<(), RolloutError> {
        let monitor = self.monitor;
        self.each(|label, step| match step {
            Step::Planned(push) => {
                let staged = push.stage()?;
                monitor.event(&Event::Staged { target: label, report: staged.report() });
                Ok(Step::Staged(Box::new(staged)))
            }
            other => Ok(other),
        })
    }

    /// Publishes all; if one fails, none is published.
    pub fn publish(&mut self) -> Result<(), RolloutError> {
        let monitor = self.monitor;
        let published = self.each(|label, step| match step {
            Step::Staged(staged) => {
                let live = staged.publish()?;
                monitor.event(&Event::Published { target: label });
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
        for Rolled { label, step } in &mut self.buckets {
            if let Step::Live(live) = std::mem::replace(step, Step::Over) {
                let label = text::line(label.as_bytes());
                let text = match live.put_back() {
                    Ok(()) => format!("{label} is put back as it was"),
                    Err(error) => format!("{label} could not be put back as it was: {error}"),
                };
                let text = &self.secrets.redact(&text);
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
        self.each(|_, step| match step {
            Step::Settled(settled) => settled.prune().map(|()| Step::Over),
            other => Ok(other),
        })
    }

    /// Takes every bucket to its next step, until one fails.
    fn each(
        &mut self,
        next: impl Fn(&str, Step<'p>) -> Result<Step<'p>, BucketError>,
    ) -> Result<(), RolloutError> {
        for Rolled { label, step } in &mut self.buckets {
            let taken = std::mem::replace(step, Step::Over);
            *step = next(label, taken).map_err(|error| {
                let (label, error) = ((*label).to_owned(), Box::new(error));
                RolloutError::Bucket { label, error }
            })?;
        }
        Ok(())
    }
}
