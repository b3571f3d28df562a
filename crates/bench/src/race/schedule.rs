//! The order of all runs: links, rounds, scenarios, competitors.

use std::path::Path;

use assetsync_link::LinkSpec;

use super::destination::Destination;
use super::run::CompetitorRun;
use crate::competitor::{Competitor, Role};
use crate::error::{Error, Result};
use crate::measured_link::MeasuredLink;
use crate::monitor::{Event, Monitor};
use crate::plan::Plan;
use crate::record::{CompetitorRuns, Race, Run, ScenarioRuns};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::sources::SourceTrees;

/// The order of all runs of a plan.
pub(super) struct Schedule<'a> {
    /// The options.
    pub(super) plan: &'a Plan,
    /// Told how it goes.
    pub(super) monitor: &'a dyn Monitor,
    /// The server to push to.
    pub(super) server: &'a Server,
    /// A temporary directory of this race alone.
    pub(super) scratch: &'a Path,
    /// How many runs have ended.
    pub(super) done: u32,
}

impl Schedule<'_> {
    /// Races on every link, one after the other.
    pub(super) fn races(&mut self, sources: &mut SourceTrees) -> Result<Vec<Race>> {
        let links = &self.plan.links;
        links.iter().map(|spec| self.race(*spec, sources)).collect()
    }

    /// Races on one link.
    fn race(&mut self, spec: LinkSpec, sources: &mut SourceTrees) -> Result<Race> {
        let name = spec.to_string();
        self.monitor.event(Event::Link(&name));
        let link = self.server.link(spec, self.scratch)?;
        let mut destinations = self.destinations(&link)?;
        let mut heats: Vec<_> = self.plan.scenarios.iter().map(|one| self.no_runs(*one)).collect();
        for _ in 0..self.plan.runs {
            for heat in &mut heats {
                self.round(heat, &mut destinations, &link, sources)?;
            }
        }
        destinations.iter().try_for_each(|one| self.server.shell.remove(&one.dir))?;
        Ok(Race { link: name, heats })
    }

    /// A destination for each competitor.
    fn destinations(&self, link: &MeasuredLink) -> Result<Vec<Destination>> {
        let numbers = 0..self.plan.competitors.len();
        let home = |number| self.scratch.join(format!("home-{}-{number}", link.link.port()));
        numbers.map(|number| Destination::new(self.server, number, home(number))).collect()
    }

    /// A scenario and its competitors, without runs so far.
    fn no_runs(&self, scenario: Scenario) -> ScenarioRuns {
        let none = |one: &Competitor| CompetitorRuns { competitor: one.name.clone(), runs: vec![] };
        let field = self.plan.competitors.iter().filter(|one| takes_part(one.role, scenario));
        ScenarioRuns { scenario, entries: field.map(none).collect() }
    }

    /// One run of each competitor in a scenario.
    fn round(
        &mut self,
        heat: &mut ScenarioRuns,
        destinations: &mut [Destination],
        link: &MeasuredLink,
        sources: &mut SourceTrees,
    ) -> Result<()> {
        let scenario = heat.scenario;
        if scenario.recompiled() {
            sources.get_mut(scenario.pushes()).compile()?;
        }
        if scenario == Scenario::First {
            self.server.remove_new_agents()?;
        }
        let plan = self.plan;
        let field = plan.competitors.iter().zip(destinations);
        let field = field.filter(|(one, _)| takes_part(one.role, scenario));
        for (entry, (competitor, destination)) in heat.entries.iter_mut().zip(field) {
            let (server, assetsync) = (self.server, &plan.assetsync);
            let run = CompetitorRun { server, assetsync, scenario, competitor, link, sources };
            entry.runs.push(self.run(&run, destination)?);
        }
        Ok(())
    }

    /// One run, unless the user wants to stop.
    fn run(&mut self, run: &CompetitorRun<'_>, destination: &mut Destination) -> Result<Run> {
        if self.monitor.stopped() {
            return Err(Error::Interrupted);
        }
        let (scenario, competitor) = (run.scenario, run.competitor.name.as_str());
        let (done, of) = (self.done, self.total());
        self.monitor.event(Event::Run { scenario, competitor, done, of });
        let measured = run.run(destination)?;
        self.monitor.event(Event::Ended { scenario, competitor, run: &measured });
        self.done += 1;
        Ok(measured)
    }

    /// The number of all runs.
    fn total(&self) -> u32 {
        let takes_part = |scenario: &Scenario| {
            self.plan.competitors.iter().filter(|one| takes_part(one.role, *scenario)).count()
        };
        let in_a_round: usize = self.plan.scenarios.iter().map(takes_part).sum();
        u32::try_from(in_a_round * self.plan.links.len())
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
