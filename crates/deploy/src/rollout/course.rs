//! One rollout up to where it has something to stage: which places there are, and which are left of them.

use std::sync::Arc;

use assetsync_sync as sender;
use assetsync_sync::PushGroup;

use super::each::{Semaphore, each};
use super::event::{Event, Phase};
use super::fleet::{Common, Fleet, Load, Watch, Work};
use super::hooks::Commands;
use super::keeper::{RolloutKind, unix_time};
use super::moment::Moment;
use super::outcome::{Outcome, TargetError, TargetOutcome};
use super::place::{Place, chosen_hosts, places};
use super::under_way::{UnderWay, Way};
use super::{Rollout, RolloutError, load};
use crate::command::Secrets;
use crate::history::{DeployId, Origin};

/// A rollout that has staged nothing yet.
pub(super) struct Course<'a> {
    pub rollout: &'a Rollout<'a>,
    pub id: DeployId,
    /// What must not be shown of any command or its output.
    pub secrets: Secrets,
    /// What is left of the places.
    places: Vec<Place>,
    /// Places that failed before anything was staged, and are left out.
    left_out: Vec<TargetOutcome>,
}

impl Rollout<'_> {
    /// Goes the whole way: what `prepare` gives is staged, published and what else belongs to it.
    pub(super) fn roll_out(
        &self,
        way: Way,
        prepare: impl FnOnce(&mut Course<'_>) -> Result<Vec<Load>, RolloutError>,
    ) -> Result<Outcome, RolloutError> {
        let mut course = Course::new(self)?;
        Ok(match course.prepared(way, prepare) {
            Ok(loads) => course.start(loads).carry_out(way),
            Err(error) => course.outcome(Vec::new(), 0, Some(error)),
        })
    }

    /// Looks at places, and changes nothing.
    pub(super) fn survey<'p>(
        &self,
        places: &'p [Place],
    ) -> Vec<(&'p Place, Result<sender::Survey, TargetError>)> {
        each(places, self.deployment.max_parallel, |place| {
            let watch = Watch { place: &place.label, monitor: &*self.monitor };
            let connection = self.engine.connection(place, self.deployment.timeouts.silence);
            let survey = sender::survey(&place.target, &connection, &watch);
            survey.map_err(|error| TargetError::of_survey(error, place))
        })
    }

    /// The places that are chosen.
    pub(super) fn places(&self) -> Result<Vec<Place>, RolloutError> {
        places(self.deployment, self.choice)
    }
}

impl<'a> Course<'a> {
    fn new(rollout: &'a Rollout<'a>) -> Result<Course<'a>, RolloutError> {
        let places = rollout.places()?;
        let id = DeployId::new(unix_time(), random());
        let secrets = rollout.secrets();
        Ok(Course { rollout, id, secrets, places, left_out: Vec::new() })
    }

    fn prepared(
        &mut self,
        way: Way,
        prepare: impl FnOnce(&mut Course<'_>) -> Result<Vec<Load>, RolloutError>,
    ) -> Result<Vec<Load>, RolloutError> {
        let loads = prepare(self)?;
        if way.runs_commands && !self.rollout.choice.dry_run {
            self.commands().reach_all_but(&self.hosts_with_targets())?;
        }
        Ok(loads)
    }

    /// What is built, for every set of assets that goes somewhere.
    pub fn built(&self) -> Result<Vec<Load>, RolloutError> {
        let Rollout { project, engine, .. } = *self.rollout;
        let sets = self.sets().into_iter();
        let loads = sets.map(|set| {
            let from = &set.assets.source;
            let load = load::built(project, set, engine.recipes, self.purpose(None))?;
            for left_out in &load.source.left_out {
                self.notice(&format!("{}: {left_out}", assetsync_core::text::path(from)));
            }
            Ok(load)
        });
        loads.collect()
    }

    /// The sets of assets that go somewhere.
    pub fn sets(&self) -> Vec<load::Set<'a>> {
        let sets = self.rollout.deployment.assets.iter().enumerate();
        let goes = |at: usize| self.places.iter().any(|place| place.set == at);
        sets.filter(|(at, _)| goes(*at)).map(|(at, assets)| load::Set { at, assets }).collect()
    }

    /// A new deploy.
    pub fn purpose(&self, restores: Option<DeployId>) -> RolloutKind {
        RolloutKind::Deploy { id: self.id, origin: origin(), restores }
    }

    /// Reaches and looks at all places before the build begins.
    pub fn check(&mut self) -> Result<(), RolloutError> {
        self.begin(Phase::Check);
        let mut good = Vec::new();
        for (place, survey) in self.surveyed()? {
            match survey.statistics.writable {
                true => good.push(place),
                false => self.leave_out(&place, TargetError::NotWritable(place.path())),
            }
        }
        self.places = good;
        self.go_on_without_failed()
    }

    /// Looks at all places; those that can't be reached are left out, if they may be.
    pub fn surveyed(&mut self) -> Result<Vec<(Place, sender::Survey)>, RolloutError> {
        let places = std::mem::take(&mut self.places);
        let mut good = Vec::new();
        for (place, survey) in self.rollout.survey(&places) {
            match survey {
                Ok(survey) => good.push((place.clone(), survey)),
                Err(error) => self.leave_out(place, error),
            }
        }
        self.places = good.iter().map(|(place, _)| place.clone()).collect();
        self.go_on_without_failed()?;
        Ok(good)
    }

    /// Goes on without a place.
    pub fn leave_out(&mut self, place: &Place, error: TargetError) {
        let told = Event::Failed { place: &place.label, reason: &error };
        self.rollout.monitor.event(&told);
        self.places.retain(|other| other.label != place.label);
        self.left_out.push(TargetOutcome { error: Some(error), ..TargetOutcome::of(place) });
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
        self.left_out.extend(untried.iter().map(TargetOutcome::of));
        Err(RolloutError::NotStaged { failed, all })
    }

    /// Has all places begin to stage.
    fn start(mut self, loads: Vec<Load>) -> UnderWay<'a> {
        let Rollout { deployment, engine, choice, .. } = *self.rollout;
        let common = Arc::new(Common {
            engine: engine.clone(),
            monitor: Arc::clone(&self.rollout.monitor),
            silence: deployment.timeouts.silence,
            dry_run: choice.dry_run,
            permits: Semaphore::new(deployment.max_parallel),
        });
        let (mut works, mut begun) = (Vec::new(), Vec::new());
        for load in loads {
            let set = load.set;
            let places: Vec<Place> = self.places.extract_if(.., |place| place.set == set).collect();
            let work = Arc::new(Work { load, group: PushGroup::for_destinations(places.len()) });
            begun.extend(places.into_iter().map(|place| (place, Arc::clone(&work))));
            works.push(work);
        }
        for place in self.places.clone() {
            self.leave_out(&place, TargetError::Ended);
        }
        let fleet = Fleet::start(&common, begun, self.rollout.cancel);
        UnderWay { course: self, fleet, works }
    }

    pub fn begin(&self, phase: Phase) {
        self.rollout.monitor.event(&Event::Phase(phase));
    }

    /// Whether places were left out.
    pub fn has_left_out(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// For commands of the chosen hosts, without those that have failed.
    pub fn commands(&self) -> Commands<'_> {
        let failed = |host: usize| self.left_out.iter().any(|place| place.host == host);
        self.commands_on(|host| !failed(host))
    }

    /// For commands of those of the chosen hosts that are `wanted`.
    pub fn commands_on(&self, wanted: impl Fn(usize) -> bool) -> Commands<'_> {
        let Rollout { deployment, choice, .. } = *self.rollout;
        let mut hosts = chosen_hosts(deployment, choice).unwrap_or_default();
        hosts.retain(|&host| wanted(host));
        Commands { rollout: self.rollout, secrets: &self.secrets, hosts }
    }

    /// Positions of the hosts that get assets.
    fn hosts_with_targets(&self) -> Vec<usize> {
        self.places.iter().map(|place| place.host).collect()
    }

    /// What has come of it, for the places that were left out and those that were `tried`.
    pub fn outcome(
        self,
        tried: Vec<TargetOutcome>,
        encodings: u64,
        error: Option<RolloutError>,
    ) -> Outcome {
        if error.is_some() && !self.rollout.choice.dry_run {
            self.after_failure();
        }
        let mut places = self.left_out;
        places.extend(self.places.iter().map(TargetOutcome::of));
        places.extend(tried);
        places.sort_by_key(|place| (place.host, place.set));
        let keep_going = self.rollout.choice.keep_going;
        Outcome { id: self.id, places, error, encodings, keep_going }
    }

    /// Hooks for failures, on failed hosts too; that they fail is told, and changes nothing.
    fn after_failure(&self) {
        let hooks = &self.rollout.deployment.hooks.on_failure;
        if let Err(error) = self.commands_on(|_| true).hooks(Moment::OnFailure, hooks) {
            self.notice(&error.to_string());
        }
    }

    pub fn notice(&self, text: &str) {
        let text = &self.secrets.hide(text);
        self.rollout.monitor.event(&Event::Notice { place: None, text });
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
