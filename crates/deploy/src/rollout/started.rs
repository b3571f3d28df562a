//! A rollout from staging to its end. Each step is a type that only the previous step returns: only
//! what is staged is published, and only what is live is restarted.

use std::collections::BTreeSet;
use std::sync::Arc;

use assetsync_sync::PushGroup;

use super::buckets;
use super::buckets::Buckets;
use super::changed::{self, PublishedChange};
use super::command_phase::CommandPhase;
use super::each::Semaphore;
use super::error::{RolloutError, TargetError};
use super::event::Phase;
use super::fleet::Fleet;
use super::hooks::Commands;
use super::options::Rollout;
use super::outcome::{Outcome, ServedVersion};
use super::payload::Payload;
use super::pipeline::Pipeline;
use super::target::DeployTarget;
use super::verify::{self, Check};
use super::worker::{FleetContext, Work};
use crate::config::RestartHow;

/// The optional steps of a rollout.
#[derive(Debug, Clone, Copy)]
pub(super) struct RolloutSteps {
    /// Run hooks and the restart.
    pub runs_commands: bool,
    /// Ask the web servers for what was published.
    pub verifies: bool,
    /// Delete old files on hosts at the end.
    pub prunes: bool,
    /// Delete the output of the build at the end, if all targets succeeded.
    pub cleans_up: bool,
}

const AFTER_PUBLISH: &str = "after_publish hooks";
const RESTART: &str = "restart";
const VERIFY: &str = "verify";
const PRUNE: &str = "prune";

impl RolloutSteps {
    /// What is to be done after publishing.
    fn after_publishing(self, rollout: &Rollout<'_>) -> Vec<&'static str> {
        let deployment = rollout.deployment;
        let runs_hooks = self.runs_commands && !deployment.hooks.after_publish.is_empty();
        let restarts = self.runs_commands && deployment.restart.how != RestartHow::None;
        let verifies = self.verifies && rollout.has_web();
        let all = [
            (AFTER_PUBLISH, runs_hooks),
            (RESTART, restarts),
            (VERIFY, verifies),
            (PRUNE, self.prunes),
        ];
        all.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect()
    }
}

/// A rollout whose workers have started.
struct Started<'a> {
    pipeline: Pipeline<'a>,
    fleet: Fleet,
    works: Vec<Arc<Work>>,
}

/// All targets are staged.
struct Staged<'u, 'a>(&'u mut Started<'a>);

/// All targets are published.
struct Live<'u, 'a>(&'u mut Started<'a>);

impl Rollout<'_> {
    /// Runs all steps: `prepare` makes the payloads, which are staged and published.
    pub(super) fn roll_out(
        &self,
        steps: RolloutSteps,
        prepare: impl FnOnce(&mut Pipeline<'_>) -> Result<Vec<Payload>, RolloutError>,
    ) -> Result<Outcome, RolloutError> {
        let mut pipeline = Pipeline::new(self)?;
        pipeline.not_done = steps.after_publishing(self);
        let prepared = prepare(&mut pipeline).and_then(|payloads| {
            if steps.runs_commands && !self.selection.dry_run {
                pipeline.check_commands(false)?;
            }
            Ok(payloads)
        });
        Ok(match prepared {
            Ok(payloads) => Started::new(pipeline, payloads).run(steps),
            Err(error) => pipeline.outcome(Vec::new(), 0, Some(error)),
        })
    }
}

impl<'a> Started<'a> {
    /// Starts a worker for every target.
    fn new(mut pipeline: Pipeline<'a>, payloads: Vec<Payload>) -> Started<'a> {
        let Rollout { deployment, engine, selection, .. } = *pipeline.rollout;
        let context = Arc::new(FleetContext {
            engine: engine.clone(),
            monitor: Arc::clone(&pipeline.rollout.monitor),
            timeout: deployment.timeouts.silence,
            dry_run: selection.dry_run,
            permits: Semaphore::new(deployment.max_parallel),
        });
        let (mut works, mut begun) = (Vec::new(), Vec::new());
        for payload in payloads {
            let set = payload.set;
            let targets: Vec<DeployTarget> =
                pipeline.targets.extract_if(.., |target| target.set == set).collect();
            let work =
                Arc::new(Work { payload, group: PushGroup::for_destinations(targets.len()) });
            begun.extend(targets.into_iter().map(|target| (target, Arc::clone(&work))));
            works.push(work);
        }
        for target in pipeline.targets.clone() {
            pipeline.exclude(&target, TargetError::Ended);
        }
        let fleet = Fleet::start(&context, begun, pipeline.rollout.cancel);
        Started { pipeline, fleet, works }
    }

    /// Runs the remaining steps, and returns the outcome.
    fn run(mut self, steps: RolloutSteps) -> Outcome {
        let (rollout, works) = (self.pipeline.rollout, self.works.clone());
        let watches = buckets::watches(rollout);
        let mut buckets = Buckets::new(rollout, &works, &watches);
        let ended = self.go(steps, &mut buckets);
        if ended.is_err() && self.fleet.has_published() {
            // Published files stay, and so do old ones.
            self.fleet.end(false);
        }
        let Started { pipeline, fleet, works } = self;
        let encodings = works.iter().map(|work| work.group.encodings()).sum();
        let outcomes = fleet.outcomes().into_iter().chain(buckets.outcomes()).collect();
        pipeline.outcome(outcomes, encodings, ended.err())
    }

    fn go(&mut self, steps: RolloutSteps, buckets: &mut Buckets<'_>) -> Result<(), RolloutError> {
        let dry_run = self.pipeline.rollout.selection.dry_run;
        let staged = self.stage(buckets)?;
        if dry_run {
            return Ok(());
        }
        let live = staged.publish(steps, buckets)?;
        live.finish(steps, buckets)?;
        if steps.cleans_up && !self.pipeline.has_excluded() && !self.fleet.has_failed() {
            self.pipeline.clean_up()?;
        }
        Ok(())
    }

    fn stage(&mut self, buckets: &mut Buckets<'_>) -> Result<Staged<'_, 'a>, RolloutError> {
        self.pipeline.begin(Phase::Stage);
        // Hosts are being staged meanwhile.
        buckets.stage()?;
        self.fleet.staged();
        self.may_publish()?;
        Ok(Staged(self))
    }

    /// Fails unless what is staged may be published.
    fn may_publish(&mut self) -> Result<(), RolloutError> {
        self.refuse_if_cancelled()?;
        // In a dry run the workers have ended.
        if !self.pipeline.rollout.selection.dry_run {
            self.fleet.check_alive();
        }
        self.refuse_if_cancelled()?;
        if !self.fleet.has_failed() {
            return Ok(());
        }
        self.fleet.exclude_failed_hosts();
        if self.pipeline.rollout.selection.keep_going && self.fleet.has_staged() {
            return Ok(());
        }
        let (failed, all) = self.fleet.failures();
        Err(RolloutError::NotStaged { failed, all })
    }

    /// A step after publishing is done; the next one begins unless the rollout is cancelled.
    fn done(&mut self, step: &str) -> Result<(), RolloutError> {
        self.pipeline.not_done.retain(|other| *other != step);
        match self.pipeline.not_done.is_empty() {
            true => Ok(()),
            false => self.refuse_if_cancelled(),
        }
    }

    fn refuse_if_cancelled(&self) -> Result<(), RolloutError> {
        match self.pipeline.rollout.cancel.is_cancelled() {
            true => Err(RolloutError::Cancelled),
            false => Ok(()),
        }
    }

    /// Asks the web servers of published targets for what is live there now.
    fn verify(&mut self) -> Result<(), RolloutError> {
        self.pipeline.begin(Phase::Verify);
        let rollout = self.pipeline.rollout;
        let mut checks = Vec::new();
        for work in &self.works {
            let tree = verify::tree(&rollout.deployment.assets[work.payload.set], &work.payload)?;
            let targets = self.fleet.live().filter(|target| target.set == work.payload.set);
            checks.extend(targets.map(|target| Check::new(target, &tree)));
        }
        let asked = rollout.ask_all(&checks);
        let error = verify::not_verified(asked.iter().map(|(_, error)| error));
        for (target, error) in asked {
            self.fleet.not_verified(&target, error);
        }
        error.map_or(Ok(()), Err)
    }

    /// The paths of URLs whose content has changed or is gone.
    fn changed(&self, buckets: &Buckets<'_>) -> BTreeSet<String> {
        let mut urls = BTreeSet::new();
        let deployment = self.pipeline.rollout.deployment;
        let on_hosts = self.fleet.reports().map(|(set, report)| (set, report, false));
        let all = on_hosts.chain(buckets.reports().map(|(set, report)| (set, report, true)));
        for (set, report, is_bucket) in all {
            let Some(work) = self.works.iter().find(|work| work.payload.set == set) else {
                continue;
            };
            let url_path = deployment.assets[set].url_path.as_deref();
            let policy = &work.payload.options.policy;
            PublishedChange { url_path, policy, report, is_bucket }.add_to(&mut urls);
        }
        urls
    }

    /// Runs commands on hosts that have not failed.
    fn commands(&self) -> Commands<'_> {
        let mut commands = self.pipeline.commands();
        commands.hosts.retain(|&host| !self.fleet.has_failed_target(host));
        commands
    }

    /// Runs a step of the fleet. If targets failed in it and that ends the rollout, returns their
    /// number, and that of all.
    fn fails_to(&mut self, step: impl FnOnce(&mut Fleet)) -> Option<(usize, usize)> {
        let before = self.fleet.failures().0;
        step(&mut self.fleet);
        let (failed, all) = self.fleet.failures();
        (failed > before && !self.pipeline.rollout.selection.keep_going)
            .then(|| (failed - before, all))
    }
}

impl<'u, 'a> Staged<'u, 'a> {
    fn publish(
        self,
        steps: RolloutSteps,
        buckets: &mut Buckets<'_>,
    ) -> Result<Live<'u, 'a>, RolloutError> {
        let Staged(started) = self;
        if steps.runs_commands {
            let hooks = &started.pipeline.rollout.deployment.hooks.before_publish;
            started.commands().hooks(CommandPhase::BeforePublish, hooks)?;
        }
        started.may_publish()?;
        started.pipeline.begin(Phase::Publish);
        // What hosts name in a bucket is there before they name it.
        buckets.publish()?;
        let keep_going = started.pipeline.rollout.selection.keep_going;
        if let Some((failed, all)) = started.fails_to(|fleet| fleet.publish(keep_going)) {
            started.fleet.take_back();
            let not_old: Vec<&str> = started.fleet.not_serving(ServedVersion::Old).collect();
            match not_old.is_empty() {
                true => buckets.put_back(),
                false => buckets.keep(&not_old, "new"),
            }
            return Err(RolloutError::NotPublished { failed, all });
        }
        let not_new = started.fleet.not_serving(ServedVersion::New);
        let not_new: Vec<&str> = started.pipeline.excluded_labels().chain(not_new).collect();
        match not_new.is_empty() {
            true => buckets.settle()?,
            false => buckets.keep(&not_new, "old"),
        }
        if !started.pipeline.not_done.is_empty() {
            started.refuse_if_cancelled()?;
        }
        Ok(Live(started))
    }
}

impl Live<'_, '_> {
    fn finish(self, steps: RolloutSteps, buckets: &mut Buckets<'_>) -> Result<(), RolloutError> {
        let Live(started) = self;
        if steps.runs_commands {
            let hooks = &started.pipeline.rollout.deployment.hooks.after_publish;
            if !hooks.is_empty() {
                let changed = changed::write(&started.changed(buckets));
                let list = changed.map_err(RolloutError::Temporary)?;
                let changed = Some(list.path().to_path_buf());
                let commands = Commands { changed, ..started.commands() };
                commands.hooks(CommandPhase::AfterPublish, hooks)?;
            }
            started.done(AFTER_PUBLISH)?;
            started.commands().restart()?;
            started.done(RESTART)?;
        }
        if steps.verifies && started.pipeline.rollout.has_web() {
            started.verify()?;
            started.done(VERIFY)?;
        }
        if steps.prunes {
            started.pipeline.begin(Phase::Prune);
            buckets.prune()?;
        }
        match started.fails_to(|fleet| fleet.end(steps.prunes)) {
            Some((failed, all)) => Err(RolloutError::NotPruned { failed, all }),
            None => started.done(PRUNE),
        }
    }
}
