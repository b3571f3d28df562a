//! A rollout from staging to its end. Each step is a value that only the step before can give: what publishes was
//! staged, what is told to the application is live.

use std::sync::Arc;

use super::RolloutError;
use super::course::Course;
use super::event::Phase;
use super::fleet::{Fleet, Work};
use super::hooks::Commands;
use super::moment::Moment;
use super::outcome::Outcome;

/// What belongs to a rollout besides its files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// Hooks and the restart.
    pub runs_commands: bool,
    /// Old files are deleted on the hosts at the end.
    pub prunes: bool,
    /// What was built is deleted here at the end, if all has gone well everywhere.
    pub cleans_up: bool,
}

/// A rollout whose places have begun to stage.
pub(super) struct UnderWay<'a> {
    pub course: Course<'a>,
    pub fleet: Fleet,
    pub works: Vec<Arc<Work>>,
}

/// What is to be published is staged everywhere.
struct Staged<'u, 'a>(&'u mut UnderWay<'a>);

/// What was staged is live.
struct Live<'u, 'a>(&'u mut UnderWay<'a>);

impl<'a> UnderWay<'a> {
    /// Goes on to the end, and says what has come of it.
    pub fn carry_out(mut self, way: Way) -> Outcome {
        let ended = self.go(way);
        if ended.is_err() && self.fleet.has_published() {
            // What is live stays; old files stay with it.
            self.fleet.end(false);
        }
        let UnderWay { course, fleet, works } = self;
        let encodings = works.iter().map(|work| work.group.encodings()).sum();
        course.outcome(fleet.outcomes(), encodings, ended.err())
    }

    fn go(&mut self, way: Way) -> Result<(), RolloutError> {
        let dry_run = self.course.rollout.choice.dry_run;
        let staged = self.stage()?;
        if dry_run {
            return Ok(());
        }
        let live = staged.publish(way)?;
        live.finish(way)?;
        if way.cleans_up && !self.course.has_left_out() && !self.fleet.has_failed() {
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
        if !self.course.rollout.choice.dry_run {
            self.fleet.check_alive();
        }
        self.refuse_if_cancelled()?;
        if !self.fleet.has_failed() {
            return Ok(());
        }
        self.fleet.exclude_failed_hosts();
        if self.course.rollout.choice.keep_going && self.fleet.has_staged() {
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
        (failed > before && !self.course.rollout.choice.keep_going).then(|| (failed - before, all))
    }
}

impl<'u, 'a> Staged<'u, 'a> {
    fn publish(self, way: Way) -> Result<Live<'u, 'a>, RolloutError> {
        let Staged(under_way) = self;
        if way.runs_commands {
            let hooks = &under_way.course.rollout.deployment.hooks.before_publish;
            under_way.commands().hooks(Moment::BeforePublish, hooks)?;
        }
        under_way.may_publish()?;
        under_way.course.begin(Phase::Publish);
        if let Some((failed, all)) = under_way.fails_to(Fleet::publish) {
            return Err(RolloutError::NotPublished { failed, all });
        }
        under_way.refuse_if_cancelled()?;
        Ok(Live(under_way))
    }
}

impl Live<'_, '_> {
    fn finish(self, way: Way) -> Result<(), RolloutError> {
        let Live(under_way) = self;
        if way.runs_commands {
            let hooks = &under_way.course.rollout.deployment.hooks.after_publish;
            under_way.commands().hooks(Moment::AfterPublish, hooks)?;
            under_way.commands().restart()?;
        }
        if way.prunes {
            under_way.course.begin(Phase::Prune);
        }
        match under_way.fails_to(|fleet| fleet.end(way.prunes)) {
            Some((failed, all)) => Err(RolloutError::NotPruned { failed, all }),
            None => Ok(()),
        }
    }
}
