//! A push to a bucket, as a chain of types: planned, staged, live, settled.

mod attempt;
pub mod connect;
mod diagnose;
mod each;
mod holder;
mod live;
mod progress;
mod publish;
mod session;
mod stage;
mod survey;
mod surveyed;
mod upload;

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use assetsync_sync::Report;

use self::attempt::{Attempt, attempt};
pub use self::connect::{Addressing, BucketSettings};
pub use self::diagnose::BucketDiagnosis;
use self::live::{Live, Settled};
use self::publish::Staged;
pub use self::session::BucketPush;
use self::session::Session;
use self::survey::{Surveyed, survey};
pub use self::surveyed::{SurveyedBucket, VerifiedBucket};
use crate::error::BucketError;
use crate::http::client::{Client, Traffic};
use crate::memory::Memory;
use crate::plan::wanted::Selection;

/// A push of which everything is sent; nothing is published yet.
pub struct StagedBucket<'p> {
    push: BucketPush<'p>,
    client: Client,
    /// None if there is nothing to do, or if that was only to be found out.
    staged: Option<Staged>,
    report: Report,
    begun: Instant,
}

/// A push that is published. No other push can be until it is settled.
pub struct LiveBucket<'p> {
    push: BucketPush<'p>,
    client: Client,
    live: Option<Live>,
}

/// A push that is written down. What a deploy leaves for pruning is still there.
pub struct SettledBucket<'p> {
    push: BucketPush<'p>,
    client: Client,
    settled: Option<Settled>,
}

impl<'p> BucketPush<'p> {
    /// Pushes. If another program has changed what is replaced, a list shows what is there now.
    pub fn run(&self) -> Result<Report, BucketError> {
        match self.run_once() {
            Err(BucketError::Changed(_)) if !self.list => {
                BucketPush { list: true, ..*self }.run_once()
            }
            other => other,
        }
    }

    fn run_once(&self) -> Result<Report, BucketError> {
        let staged = self.stage()?;
        let (begun, mut report) = (staged.begun, staged.report.clone());
        let settled = staged.publish()?.settle()?;
        count(&mut report, &settled.client, begun.elapsed());
        settled.prune()?;
        Ok(report)
    }

    /// Reads the source while the bucket is surveyed.
    fn select_and_survey(
        &self,
        session: &Session<'_>,
    ) -> Result<(Selection, Surveyed), BucketError> {
        let folder = self.memory.filter(|_| !self.dry_run);
        let name = Memory::name_of(session.objects.client.base_url(), self.url);
        let select = || -> Result<Selection, BucketError> {
            let (policy, rules) = (&self.options.policy, &self.settings.rules);
            Ok(Selection::of(self.source.hashed()?, policy, rules, self.url.prefix())?)
        };
        thread::scope(|scope| {
            let selection = scope.spawn(select);
            let memory = Memory::open(folder, &name);
            let surveyed = memory.and_then(|memory| survey(&session.objects, memory, self.list));
            let selection = selection.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            Ok((selection, surveyed?))
        })
    }

    /// Sends everything.
    pub fn stage(&self) -> Result<StagedBucket<'p>, BucketError> {
        let begun = Instant::now();
        let client = self.settings.connect(self.url)?;
        let session = self.session(&client);
        let (mut selection, surveyed) = self.select_and_survey(&session)?;
        if self.restores {
            selection.restore(&surveyed.state.compressed(), &self.settings.rules);
        }
        let Attempt { staged, mut report } = attempt(self, &session, &selection, surveyed)?;
        count(&mut report, &client, begun.elapsed());
        Ok(StagedBucket { push: *self, client, staged, report, begun })
    }
}

impl<'p> StagedBucket<'p> {
    /// The report so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Publishes; if that fails, puts everything back.
    pub fn publish(self) -> Result<LiveBucket<'p>, BucketError> {
        let StagedBucket { push, client, staged, .. } = self;
        let live = staged.map(|staged| staged.publish(&push.session(&client))).transpose()?;
        Ok(LiveBucket { push, client, live })
    }
}

impl<'p> LiveBucket<'p> {
    /// Deletes what is to go at once, and writes down what is there.
    pub fn settle(self) -> Result<SettledBucket<'p>, BucketError> {
        let LiveBucket { push, client, live } = self;
        let settled = live.map(|live| live.settle(&push.session(&client))).transpose()?;
        Ok(SettledBucket { push, client, settled })
    }

    /// Writes down what is live, and deletes no object, because of what happened elsewhere: some
    /// visitors get pages that name new objects, and others pages that name old ones.
    pub fn keep(self) -> Result<(), BucketError> {
        let LiveBucket { push, client, live } = self;
        live.map_or(Ok(()), |live| live.keep(&push.session(&client)))
    }

    /// Puts everything back as it was, because of what happened elsewhere.
    pub fn put_back(self) -> Result<(), BucketError> {
        let LiveBucket { push, client, live } = self;
        live.map_or(Ok(()), |live| live.put_back(&push.session(&client)))
    }
}

impl SettledBucket<'_> {
    /// Deletes what a deploy left for when everything is live everywhere.
    pub fn prune(self) -> Result<(), BucketError> {
        let SettledBucket { push, client, settled } = self;
        settled.map_or(Ok(()), |settled| settled.prune(&push.session(&client)))
    }
}

fn count(report: &mut Report, client: &Client, elapsed: Duration) {
    let Traffic { requests, sent, received } = client.traffic();
    report.bytes_sent = sent;
    report.bytes_received = received;
    report.round_trips = u32::try_from(requests).unwrap_or(u32::MAX);
    report.elapsed = elapsed;
}
