//! The race itself: rounds of scenarios, in each of which everyone runs in turn.

mod stand;

use std::path::{Path, PathBuf};
use std::process::Command;

use assetsync_testbed::{LinkSpec, find};
use assetsync_transport::{RemoteTarget, SshOptions};

use self::stand::Stand;
use crate::check::Listing;
use crate::competitor::{Competitor, Role};
use crate::error::{Doing, Error, Result};
use crate::ground::Ground;
use crate::lane::Lane;
use crate::machine;
use crate::measure::{self, Took};
use crate::monitor::{Event, Monitor};
use crate::record::{Entrant, Entry, Heat, Outcome, Race, Record, Run, SCHEMA};
use crate::scenario::{Before, Scenario};
use crate::source::{Source, Sources};

/// What to race.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The older build.
    pub old: PathBuf,
    /// The newer build.
    pub new: PathBuf,
    /// A directory of the user's own host, or a throw-away sshd on loopback.
    pub to: Option<RemoteTarget>,
    /// How that host is reached.
    pub ssh: SshOptions,
    /// The links to race on, one after the other.
    pub links: Vec<LinkSpec>,
    /// How often everyone runs in each scenario.
    pub runs: u32,
    /// Who runs; the first is the one to whom the others are compared.
    pub competitors: Vec<Competitor>,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// The assetsync program, which also watches the far side of the throw-away sshd.
    pub assetsync: PathBuf,
}

/// Programs that competitors may need, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 3] =
    [("ssh", "openssh-client"), ("rsync", "rsync"), ("zstd", "zstd")];

/// Races, and clears up on both sides, however it ends.
pub fn race(plan: &Plan, monitor: &dyn Monitor) -> Result<Record> {
    check_programs(plan)?;
    let scratch = tempfile::Builder::new().prefix("assetsync-bench-").tempdir();
    let scratch = scratch.doing("make a directory in", std::env::temp_dir())?;
    monitor.event(Event::Preparing("copying OLD and NEW"));
    let mut sources = Sources::copy(&plan.old, &plan.new, scratch.path())?;
    monitor.event(Event::Preparing("reaching the destination"));
    let ground = match &plan.to {
        Some(target) => Ground::own(target, &plan.ssh, scratch.path())?,
        None => Ground::throw_away(&plan.assetsync, scratch.path())?,
    };
    let mut meeting = Meeting { plan, monitor, ground: &ground, scratch: scratch.path(), done: 0 };
    let races = meeting.races(&mut sources);
    monitor.event(Event::Preparing("clearing up"));
    let cleared = ground.clear();
    let races = races?;
    cleared?;
    Ok(record(plan, &ground, &sources, races))
}

fn check_programs(plan: &Plan) -> Result<()> {
    let used = |name: &str| plan.competitors.iter().any(|one| one.command.contains(name));
    let daemon = plan.to.is_none().then_some(("sshd", "openssh-server"));
    let needed = PROGRAMS.into_iter().filter(|(name, _)| used(name)).chain(daemon);
    let (programs, packages): (Vec<_>, Vec<_>) =
        needed.filter(|(name, package)| find(name, package).is_err()).unzip();
    match programs.is_empty() {
        true => Ok(()),
        false => Err(Error::Missing { programs, packages }),
    }
}

fn record(plan: &Plan, ground: &Ground, sources: &Sources, races: Vec<Race>) -> Record {
    let entrant = |one: &Competitor| Entrant {
        name: one.name.clone(),
        command: one.command.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    Record {
        schema: SCHEMA,
        machine: machine::machine(),
        programs: machine::programs(),
        old: sources.get(crate::scenario::Build::Old).bundle.clone(),
        new: sources.get(crate::scenario::Build::New).bundle.clone(),
        destination: ground.label.clone(),
        runs: plan.runs,
        competitors: plan.competitors.iter().map(entrant).collect(),
        races,
    }
}

/// All races of one plan.
struct Meeting<'a> {
    plan: &'a Plan,
    monitor: &'a dyn Monitor,
    ground: &'a Ground,
    scratch: &'a Path,
    done: u32,
}

impl Meeting<'_> {
    fn races(&mut self, sources: &mut Sources) -> Result<Vec<Race>> {
        let links = &self.plan.links;
        links.iter().map(|spec| self.race(*spec, sources)).collect()
    }

    /// Races on one link.
    fn race(&mut self, spec: LinkSpec, sources: &mut Sources) -> Result<Race> {
        let link = spec.to_string();
        self.monitor.event(Event::Link(&link));
        let lane = self.ground.lane(spec, self.scratch)?;
        let mut stands = self.stands(&lane)?;
        let mut heats: Vec<Heat> = self.plan.scenarios.iter().map(|one| self.heat(*one)).collect();
        for _ in 0..self.plan.runs {
            for heat in &mut heats {
                self.round(heat, &mut stands, &lane, sources)?;
            }
        }
        stands.iter().try_for_each(|stand| self.ground.far.remove(&stand.dir))?;
        Ok(Race { link, heats })
    }

    /// A place for each competitor.
    fn stands(&self, lane: &Lane) -> Result<Vec<Stand>> {
        let names = 0..self.plan.competitors.len();
        let home = |number| self.scratch.join(format!("home-{}-{number}", lane.link.port()));
        names.map(|number| Stand::new(self.ground, number, home(number))).collect()
    }

    /// A scenario in which nobody has run yet.
    fn heat(&self, scenario: Scenario) -> Heat {
        let entry = |one: &Competitor| Entry { competitor: one.name.clone(), runs: Vec::new() };
        let field = self.plan.competitors.iter().filter(|one| takes_part(one.role, scenario));
        Heat { scenario, entries: field.map(entry).collect() }
    }

    /// Everyone runs once in a scenario.
    fn round(
        &mut self,
        heat: &mut Heat,
        stands: &mut [Stand],
        lane: &Lane,
        sources: &mut Sources,
    ) -> Result<()> {
        let scenario = heat.scenario;
        if scenario.recompiled() {
            sources.get_mut(scenario.pushes()).compile()?;
        }
        if scenario == Scenario::First {
            self.ground.forget_agents()?;
        }
        for entry in &mut heat.entries {
            let field = self.plan.competitors.iter().zip(stands.iter_mut());
            let Some((competitor, stand)) =
                field.into_iter().find(|(one, _)| one.name == entry.competitor)
            else {
                continue;
            };
            let turn = Turn { meeting: self, scenario, competitor, lane, sources };
            entry.runs.push(turn.take(stand)?);
            self.done += 1;
        }
        Ok(())
    }

    /// How many runs there will be.
    fn total(&self) -> u32 {
        let field = |scenario| {
            self.plan.competitors.iter().filter(move |one| takes_part(one.role, scenario))
        };
        let heats: usize = self.plan.scenarios.iter().map(|one| field(*one).count()).sum();
        u32::try_from(heats * self.plan.links.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(self.plan.runs)
    }
}

fn takes_part(role: Role, scenario: Scenario) -> bool {
    match role {
        Role::Mirror => true,
        Role::Fill => scenario == Scenario::First,
        Role::Floor => scenario == Scenario::Unchanged,
    }
}

/// One run of one competitor, with what comes before and after.
struct Turn<'a> {
    meeting: &'a Meeting<'a>,
    scenario: Scenario,
    competitor: &'a Competitor,
    lane: &'a Lane,
    sources: &'a Sources,
}

impl Turn<'_> {
    fn take(&self, stand: &mut Stand) -> Result<Run> {
        let Meeting { monitor, done, .. } = *self.meeting;
        if monitor.stopped() {
            return Err(Error::Interrupted);
        }
        let (scenario, competitor) = (self.scenario, self.competitor.name.as_str());
        monitor.event(Event::Run { scenario, competitor, done, of: self.meeting.total() });
        self.prepare(stand)?;
        let run = self.measure(stand)?;
        monitor.event(Event::Ended { scenario, competitor, run: &run });
        Ok(run)
    }

    /// Brings destination and memory into the state that the scenario begins with.
    fn prepare(&self, stand: &mut Stand) -> Result<()> {
        let ground = self.meeting.ground;
        match self.scenario.before() {
            _ if self.competitor.role == Role::Floor => Ok(()),
            Before::Nothing => stand.clear(ground),
            Before::Same => self.prepare_build(stand, self.source(), true),
            Before::Pushed(build) => self.prepare_build(stand, self.sources.get(build), false),
        }?;
        if self.scenario == Scenario::Fresh { stand.forget() } else { Ok(()) }
    }

    /// The competitor itself pushes `source` beforehand, so that it finds what it would have left;
    /// one that can't gets a copy.
    fn prepare_build(&self, stand: &mut Stand, source: &Source, same: bool) -> Result<()> {
        let ground = self.meeting.ground;
        if stand.holds(source, same) {
            return Ok(());
        }
        stand.clear(ground)?;
        measure::run(&mut self.command(stand, source, &ground.straight))?;
        if source.listing.judge(&Listing::there(&ground.far, &stand.tree)?) != Outcome::Right {
            ground.far.copy(&source.path, &stand.tree)?;
        }
        stand.held = Some(source.held());
        Ok(())
    }

    fn measure(&self, stand: &mut Stand) -> Result<Run> {
        let ground = self.meeting.ground;
        ground.watch();
        self.lane.watch();
        let took = measure::run(&mut self.command(stand, self.source(), &self.lane.config))?;
        let (counts, usage) = (self.lane.counts(), ground.usage());
        let outcome = self.judge(stand, &took)?;
        stand.held = (outcome == Outcome::Right).then(|| self.source().held());
        Ok(Run {
            outcome,
            wall_us: micros(took.wall),
            cpu_us: micros(took.cpu),
            far_cpu_us: usage.map(|usage| micros(usage.cpu)),
            far_peak_bytes: usage.map(|usage| usage.peak),
            sent_bytes: counts.sent,
            received_bytes: counts.received,
        })
    }

    fn judge(&self, stand: &Stand, took: &Took) -> Result<Outcome> {
        if !took.status.success() {
            let said = format!("{}: {}", took.status, took.said);
            return Ok(Outcome::Failed { said: said.trim_end_matches([':', ' ']).to_owned() });
        }
        if self.competitor.role == Role::Floor {
            return Ok(Outcome::Right);
        }
        let found = Listing::there(&self.meeting.ground.far, &stand.tree)?;
        Ok(self.source().listing.judge(&found))
    }

    fn source(&self) -> &Source {
        self.sources.get(self.scenario.pushes())
    }

    fn command(&self, stand: &mut Stand, source: &Source, config: &str) -> Command {
        let meeting = self.meeting;
        stand.command(
            &self.competitor.command,
            source,
            config,
            meeting.ground,
            &meeting.plan.assetsync,
        )
    }
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
