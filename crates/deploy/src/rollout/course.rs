//! One rollout from its first step to its last.

use std::sync::Arc;

use assetsync_sync::sender::{self, Options, Sharing};

use super::event::{Event, Phase};
use super::fleet::{Common, Fleet, Load, Permits, Watch};
use super::keeper::{Purpose, unix_time};
use super::outcome::{Outcome, PlaceError, PlaceOutcome};
use super::place::{Place, chosen_hosts, places};
use super::{Rollout, RolloutError, load, retry};
use crate::history::{DeployId, Origin};

/// A rollout on its way.
pub(super) struct Course<'a> {
    pub rollout: &'a Rollout<'a>,
    pub id: DeployId,
    /// What is left of the places.
    places: Vec<Place>,
    /// Places that failed before anything was staged, and are left out.
    left_out: Vec<PlaceOutcome>,
    fleet: Option<Fleet>,
    common: Option<Arc<Common>>,
}

impl Rollout<'_> {
    /// Builds, and brings what was built to every host, with all that belongs to it.
    pub fn deploy(&self) -> Result<Outcome, RolloutError> {
        let mut course = Course::new(self)?;
        let ended = course.deploy();
        Ok(course.end(ended))
    }

    /// Brings what is built to every host, all or none; nothing else is run.
    pub fn push(&self) -> Result<Outcome, RolloutError> {
        let mut course = Course::new(self)?;
        let ended = course.push();
        Ok(course.end(ended))
    }

    /// Deletes what retention lets go, on every host.
    pub fn prune(&self) -> Result<Outcome, RolloutError> {
        let mut course = Course::new(self)?;
        let ended = course.prune();
        Ok(course.end(ended))
    }

    /// Runs `work` for each item, as many at a time as there may be connections; results in the order of the items.
    pub(super) fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let permits = Permits::new(self.deployment.max_parallel);
        let (permits, work) = (&permits, &work);
        std::thread::scope(|scope| {
            let spawn = |item| {
                scope.spawn(move || {
                    let _permit = permits.take();
                    work(item)
                })
            };
            let threads: Vec<_> = items.iter().map(spawn).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }

    /// Looks at places, and changes nothing.
    pub(super) fn survey(&self, places: &[Place]) -> Vec<Result<sender::Survey, PlaceError>> {
        self.each(places, |place| {
            let watch = Watch { place: &place.label, monitor: &*self.monitor };
            let connection = self.engine.connection(place, self.deployment.timeouts.silence);
            let survey = retry::connecting(|| sender::survey(&place.target, &connection, &watch));
            survey.map_err(PlaceError::from)
        })
    }

    /// The places that are chosen.
    pub(super) fn places(&self) -> Result<Vec<Place>, RolloutError> {
        places(self.deployment, self.choice)
    }
}

impl<'a> Course<'a> {
    pub fn new(rollout: &'a Rollout<'a>) -> Result<Course<'a>, RolloutError> {
        let places = rollout.places()?;
        let id = DeployId::new(unix_time(), random());
        let (left_out, fleet, common) = (Vec::new(), None, None);
        Ok(Course { rollout, id, places, left_out, fleet, common })
    }

    fn deploy(&mut self) -> Result<(), RolloutError> {
        let (deployment, choice) = (self.rollout.deployment, self.rollout.choice);
        let command = deployment.build.command.as_deref();
        let command = command.filter(|_| !choice.skip_build && !choice.dry_run);
        if let Some(command) = command {
            self.check()?;
            self.build(command)?;
        }
        let loads = self.built(None)?;
        self.roll_out(loads, true)?;
        if command.is_some()
            && deployment.build.cleanup
            && self.left_out.is_empty()
            && self.is_whole()
        {
            self.begin(Phase::CleanUp);
            self.rollout.clean_up()?;
        }
        Ok(())
    }

    fn push(&mut self) -> Result<(), RolloutError> {
        let loads = self.built(None)?;
        self.stage(loads)?;
        if !self.rollout.choice.dry_run {
            self.publish()?;
            self.finish(true)?;
        }
        Ok(())
    }

    fn prune(&mut self) -> Result<(), RolloutError> {
        let nothing = tempfile::tempdir().map_err(RolloutError::Temporary)?;
        let sets = self.rollout.deployment.assets.iter();
        let loads = sets.map(|set| {
            let options = load::options(set, self.rollout.engine.recipes)?;
            // Nothing is wanted beside what is live, which retention keeps.
            let options = Options { allow_empty: true, ..options };
            let source = sender::Source::of(Vec::new(), nothing.path())?;
            let decide = Box::new(load::keeper(set, Purpose::Prune)?);
            Ok(Some(Load { source, options, decide }))
        });
        let loads = loads.collect::<Result<Vec<_>, RolloutError>>()?;
        self.stage(loads)?;
        if !self.rollout.choice.dry_run {
            self.publish()?;
            self.finish(true)?;
        }
        Ok(())
    }

    /// Stages, publishes, and does all that belongs to it.
    pub fn roll_out(&mut self, loads: Vec<Option<Load>>, prune: bool) -> Result<(), RolloutError> {
        let hooks = &self.rollout.deployment.hooks;
        if self.rollout.choice.dry_run {
            return self.stage(loads);
        }
        self.reach_others()?;
        self.stage(loads)?;
        self.hooks("before_publish", &hooks.before_publish)?;
        self.publish()?;
        self.hooks("after_publish", &hooks.after_publish)?;
        self.restart()?;
        self.finish(prune)
    }

    /// What is built, for every set of assets that goes somewhere.
    fn built(&self, restores: Option<DeployId>) -> Result<Vec<Option<Load>>, RolloutError> {
        let Rollout { deployment, project, engine, .. } = *self.rollout;
        let sets = deployment.assets.iter().enumerate().map(|(at, set)| {
            if !self.places.iter().any(|place| place.set == at) {
                return Ok(None);
            }
            let purpose = self.purpose(restores);
            let load = load::built(project, set, engine.recipes, purpose)?;
            for left_out in &load.source.left_out {
                let text = format!("{}: {left_out}", set.source.display());
                self.rollout.monitor.event(&Event::Notice { place: None, text: &text });
            }
            Ok(Some(load))
        });
        sets.collect()
    }

    /// A new deploy.
    pub fn purpose(&self, restores: Option<DeployId>) -> Purpose {
        Purpose::Deploy { id: self.id, origin: origin(), restores }
    }

    /// Reaches and looks at all places before the build begins.
    fn check(&mut self) -> Result<(), RolloutError> {
        self.begin(Phase::Check);
        let mut good = Vec::new();
        for (place, survey) in self.surveyed()? {
            match survey.vitals.writable {
                true => good.push(place),
                false => self.leave_out(&place, PlaceError::NotWritable(place.path())),
            }
        }
        self.places = good;
        self.go_on_without_failed()
    }

    /// Looks at all places; those that can't be reached are left out, if they may be.
    pub fn surveyed(&mut self) -> Result<Vec<(Place, sender::Survey)>, RolloutError> {
        let surveys = self.rollout.survey(&self.places);
        let mut good = Vec::new();
        for (place, survey) in std::mem::take(&mut self.places).into_iter().zip(surveys) {
            match survey {
                Ok(survey) => good.push((place, survey)),
                Err(error) => self.leave_out(&place, error),
            }
        }
        self.places = good.iter().map(|(place, _)| place.clone()).collect();
        self.go_on_without_failed()?;
        Ok(good)
    }

    /// Goes on without a place.
    pub fn leave_out(&mut self, place: &Place, error: PlaceError) {
        let told = Event::Failed { place: &place.label, reason: &error };
        self.rollout.monitor.event(&told);
        self.places.retain(|other| other.label != place.label);
        self.left_out.push(PlaceOutcome { error: Some(error), ..PlaceOutcome::of(place) });
    }

    /// Whether the rollout may go on without the places that were left out.
    pub fn go_on_without_failed(&mut self) -> Result<(), RolloutError> {
        let failed = self.left_out.len();
        if failed == 0 || (self.rollout.choice.keep_going && !self.places.is_empty()) {
            return Ok(());
        }
        // They were not tried any further.
        let all = failed + self.places.len();
        let untried = std::mem::take(&mut self.places);
        self.left_out.extend(untried.iter().map(PlaceOutcome::of));
        Err(RolloutError::NotStaged { failed, all })
    }

    fn stage(&mut self, loads: Vec<Option<Load>>) -> Result<(), RolloutError> {
        self.begin(Phase::Stage);
        let Rollout { deployment, engine, choice, .. } = *self.rollout;
        let places_of = |set| self.places.iter().filter(|place| place.set == set).count();
        let common = Arc::new(Common {
            engine: engine.clone(),
            sharings: (0..loads.len()).map(|set| Sharing::among(places_of(set))).collect(),
            loads,
            monitor: Arc::clone(&self.rollout.monitor),
            silence: deployment.timeouts.silence,
            dry_run: choice.dry_run,
            permits: Permits::new(deployment.max_parallel),
        });
        let places = std::mem::take(&mut self.places);
        let fleet = self.fleet.insert(Fleet::start(&common, places, self.rollout.cancel));
        self.common = Some(common);
        fleet.staged();
        self.may_publish()
    }

    /// Whether what is staged may be published, after places were lost or somebody cancelled.
    fn may_publish(&mut self) -> Result<(), RolloutError> {
        if self.rollout.cancel.is_cancelled() {
            return Err(RolloutError::Cancelled);
        }
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        // In a dry run nobody is there any more.
        if !self.rollout.choice.dry_run {
            fleet.call_the_roll();
        }
        if self.rollout.cancel.is_cancelled() {
            return Err(RolloutError::Cancelled);
        }
        if !fleet.has_failed() {
            return Ok(());
        }
        fleet.leave_out_failed_hosts();
        if self.rollout.choice.keep_going && fleet.has_staged() {
            return Ok(());
        }
        let (failed, all) = fleet.failures();
        Err(RolloutError::NotStaged { failed, all })
    }

    fn publish(&mut self) -> Result<(), RolloutError> {
        self.may_publish()?;
        self.begin(Phase::Publish);
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let before = fleet.failures().0;
        fleet.publish();
        let (failed, all) = fleet.failures();
        if failed > before && !self.rollout.choice.keep_going {
            return Err(RolloutError::NotPublished { failed, all });
        }
        if self.rollout.cancel.is_cancelled() {
            return Err(RolloutError::Cancelled);
        }
        Ok(())
    }

    fn finish(&mut self, prune: bool) -> Result<(), RolloutError> {
        if prune {
            self.begin(Phase::Prune);
        }
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let before = fleet.failures().0;
        fleet.end(prune);
        let (failed, all) = fleet.failures();
        if failed > before && !self.rollout.choice.keep_going {
            return Err(RolloutError::NotPruned { failed: failed - before, all });
        }
        Ok(())
    }

    /// Whether no place has failed.
    fn is_whole(&self) -> bool {
        self.fleet.as_ref().is_none_or(|fleet| !fleet.has_failed())
    }

    /// Ends all connections, and says what has come of it.
    pub fn end(mut self, ended: Result<(), RolloutError>) -> Outcome {
        let is_live = |fleet: &Fleet| fleet.has_published();
        if ended.is_err() && self.fleet.as_ref().is_some_and(is_live) {
            // What is live stays; old files stay with it.
            self.fleet.iter_mut().for_each(|fleet| fleet.end(false));
        }
        let mut places = std::mem::take(&mut self.left_out);
        places.extend(std::mem::take(&mut self.places).iter().map(PlaceOutcome::of));
        places.extend(self.fleet.take().into_iter().flat_map(Fleet::outcomes));
        places.sort_by_key(|place| (place.host, place.set));
        let encodings = self.common.take().map_or(0, |common| common.encodings());
        let keep_going = self.rollout.choice.keep_going;
        let outcome = Outcome { id: self.id, places, error: ended.err(), encodings, keep_going };
        if outcome.error.is_some() && !self.rollout.choice.dry_run {
            self.after_failure();
        }
        outcome
    }

    /// Hooks for failures; that they fail too is told, and changes nothing.
    fn after_failure(&self) {
        let failed = self.hooks("on_failure", &self.rollout.deployment.hooks.on_failure);
        if let Err(error) = failed {
            let text = error.to_string();
            self.rollout.monitor.event(&Event::Notice { place: None, text: &text });
        }
    }

    pub fn begin(&self, phase: Phase) {
        self.rollout.monitor.event(&Event::Phase(phase));
    }

    /// The hosts that are chosen, without those that have failed.
    pub fn hosts(&self) -> impl Iterator<Item = usize> + '_ {
        let chosen = chosen_hosts(self.rollout.deployment, self.rollout.choice).unwrap_or_default();
        let failed = |host: usize| {
            let left_out = self.left_out.iter().any(|place| place.host == host);
            left_out || self.fleet.as_ref().is_some_and(|fleet| fleet.has_lost(host))
        };
        chosen.into_iter().filter(move |&host| !failed(host))
    }

    /// Positions of the hosts that get assets.
    pub fn with_places(&self) -> Vec<usize> {
        self.places.iter().map(|place| place.host).collect()
    }
}

/// Who deploys.
fn origin() -> Origin {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let number = || format!("user {}", rustix::process::getuid().as_raw());
    let system = rustix::system::uname();
    Origin {
        user: user.unwrap_or_else(number),
        host: system.nodename().to_string_lossy().into_owned(),
        tool: concat!("assetsync ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

/// 32 random bits. Where the system has none to give, the time in the id still tells deploys apart.
fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}
