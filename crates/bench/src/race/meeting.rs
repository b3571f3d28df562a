//! Links, scenarios and rounds: who runs when.

use std::path::Path;

use assetsync_link::LinkSpec;

use super::Plan;
use super::stand::Stand;
use super::turn::Turn;
use crate::competitor::{Competitor, Role};
use crate::error::Result;
use crate::ground::Ground;
use crate::lane::Lane;
use crate::monitor::{Event, Monitor};
use crate::record::{Entry, Heat, Race};
use crate::scenario::Scenario;
use crate::source::Sources;

/// All races of one plan.
pub(super) struct Meeting<'a> {
    /// What to race.
    pub(super) plan: &'a Plan,
    /// Hears how it goes.
    pub(super) monitor: &'a dyn Monitor,
    /// Where.
    pub(super) ground: &'a Ground,
    /// A directory of this race alone.
    pub(super) scratch: &'a Path,
    /// How many runs have ended.
    pub(super) done: u32,
}

impl Meeting<'_> {
    /// Races on every link, one after the other.
    pub(super) fn races(&mut self, sources: &mut Sources) -> Result<Vec<Race>> {
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
    pub(super) fn total(&self) -> u32 {
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
