//! A rollout from staging to its end. Each step is a value that only the step before can give: what publishes was
//! staged, what is told to the application is live.

use std::sync::Arc;

use super::RolloutError;
use super::command_phase::CommandPhase;
use super::event::Phase;
use super::fleet::{Fleet, Work};
use super::hooks::Commands;
use super::outcome::Outcome;
use super::pipeline::Pipeline;

/// What belongs to a rollout besides its files.
#[derive(Debug, Clone, Copy)]
pub(super) struct RolloutSteps {
    /// Hooks and the restart.
    pub runs_commands: bool,
    /// Old files are deleted on the hosts at the end.
    pub prunes: bool,
    /// What was built is deleted here at the end, if all has gone well everywhere.
    pub cleans_up: bool,
}

/// A rollout whose places have begun to stage.
pub(super) struct Started<'a> {
    pub course: Pipeline<'a>,
    pub fleet: Fleet,
    pub works: Vec<Arc<Work>>,
}

/// What is to be published is staged everywhere.
struct Staged<'u, 'a>(&'u mut Started<'a>);

/// What was staged is live.
struct Live<'u, 'a>(&'u mut Started<'a>);

impl<'a> Started<'a> {
    /// Goes on to the end, and says what has come of it.
    pub fn carry_out(mut self, steps: RolloutSteps) -> Outcome {
        let ended = self.go(steps);
        if ended.is_err() && self.fleet.has_published() {
            // What is live stays; old files stay with it.
            self.fleet.end(false);
        }
        let Started { course, fleet, works } = self;
        let encodings = works.iter().map(|work| work.group.encodings()).sum();
        course.outcome(fleet.outcomes(), encodings, ended.err())
    }

    fn go(&mut self, steps: RolloutSteps) -> Result<(), RolloutError> {
        let dry_run = self.course.rollout.selection.dry_run;
        let staged = self.stage()?;
        if dry_run {
            return Ok(());
        }
        let live = staged.publish(steps)?;
        live.finish(steps)?;
        if steps.cleans_up && !self.course.has_excluded() && !self.fleet.has_failed() {
            self.course.clean_up()?;
        }
        Ok(())
    }

    fn stage(&mut self) -> Result<Staged<'_, 'a>, RolloutError> {
        self.course.begin(Phase::Stage);
        self.fleet.staged();
        self.may_publish()?;
        Ok(Staged(self))
    }

    /// Whether what is staged may be published, after places were lost or somebody cancelled.
    fn may_publish(&mut self) -> Result<(), RolloutError> {
        self.refuse_if_cancelled()?;
        // In a dry run nobody is there any more.
        if !self.course.rollout.selection.dry_run {
            self.fleet.check_alive();
        }
        self.refuse_if_cancelled()?;
        if !self.fleet.has_failed() {
            return Ok(());
        }
        self.fleet.exclude_failed_hosts();
        if self.course.rollout.selection.keep_going && self.fleet.has_staged() {
            return Ok(());
        }
        let (failed, all) = self.fleet.failures();
        Err(RolloutError::NotStaged { failed, all })
    }

    fn refuse_if_cancelled(&self) -> Result<(), RolloutError> {
        match self.course.rollout.cancel.is_cancelled() {
            true => Err(RolloutError::Cancelled),
            false => Ok(()),
        }
    }

    /// For commands of hosts, without those that have failed.
    fn commands(&self) -> Commands<'_> {
        let mut commands = self.course.commands();
        commands.hosts.retain(|&host| !self.fleet.has_failed_target(host));
        commands
    }

    /// Has the fleet do something; gives how many failed in it, of how many, if that ends the rollout.
    fn fails_to(&mut self, step: impl FnOnce(&mut Fleet)) -> Option<(usize, usize)> {
        let before = self.fleet.failures().0;
        step(&mut self.fleet);
        let (failed, all) = self.fleet.failures();
        (failed > before && !self.course.rollout.selection.keep_going)
            .then(|| (failed - before, all))
    }
}

impl<'u, 'a> Staged<'u, 'a> {
    fn publish(self, steps: RolloutSteps) -> Result<Live<'u, 'a>, RolloutError> {
        let Staged(started) = self;
        if steps.runs_commands {
            let hooks = &started.course.rollout.deployment.hooks.before_publish;
            started.commands().hooks(CommandPhase::BeforePublish, hooks)?;
        }
        started.may_publish()?;
        started.course.begin(Phase::Publish);
        if let Some((failed, all)) = started.fails_to(Fleet::publish) {
            return Err(RolloutError::NotPublished { failed, all });
        }
        started.refuse_if_cancelled()?;
        Ok(Live(started))
    }
}

impl Live<'_, '_> {
    fn finish(self, steps: RolloutSteps) -> Result<(), RolloutError> {
        let Live(started) = self;
        if steps.runs_commands {
            let hooks = &started.course.rollout.deployment.hooks.after_publish;
            started.commands().hooks(CommandPhase::AfterPublish, hooks)?;
            started.commands().restart()?;
        }
        if steps.prunes {
            started.course.begin(Phase::Prune);
        }
        match started.fails_to(|fleet| fleet.end(steps.prunes)) {
            Some((failed, all)) => Err(RolloutError::NotPruned { failed, all }),
            None => Ok(()),
        }
    }
}
