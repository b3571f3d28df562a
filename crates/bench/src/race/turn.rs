//! One run: preparing the destination, running the command, measuring, judging.

use std::process::Command;
use std::time::Duration;

use super::meeting::Meeting;
use super::stand::Stand;
use crate::check::Listing;
use crate::competitor::{Competitor, Role};
use crate::error::{Error, Result};
use crate::lane::Lane;
use crate::measure::{self, Took};
use crate::monitor::Event;
use crate::record::{Outcome, Run};
use crate::scenario::{Before, Scenario};
use crate::source::{Source, Sources};

/// One run of one competitor, with what comes before and after.
pub(super) struct Turn<'a> {
    /// All that goes on.
    pub(super) meeting: &'a Meeting<'a>,
    /// The scenario.
    pub(super) scenario: Scenario,
    /// Whose turn it is.
    pub(super) competitor: &'a Competitor,
    /// The way to the destination.
    pub(super) lane: &'a Lane,
    /// What can be pushed.
    pub(super) sources: &'a Sources,
}

impl Turn<'_> {
    /// Prepares, runs, measures and checks.
    pub(super) fn take(&self, stand: &mut Stand) -> Result<Run> {
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

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
