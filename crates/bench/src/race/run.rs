//! One run: prepares the destination, runs the command, measures it, checks the result.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::destination::Destination;
use crate::competitor::{Competitor, Role};
use crate::error::Result;
use crate::listing::Listing;
use crate::measure::{self, Usage};
use crate::measured_link::MeasuredLink;
use crate::record::{Outcome, Run};
use crate::scenario::{Before, Scenario};
use crate::server::Server;
use crate::sources::{Source, SourceTrees};

/// One run of one competitor, with its preparation and its check.
pub(super) struct CompetitorRun<'a> {
    /// The server to push to.
    pub(super) server: &'a Server,
    /// The assetsync program.
    pub(super) assetsync: &'a Path,
    /// The scenario.
    pub(super) scenario: Scenario,
    /// The competitor.
    pub(super) competitor: &'a Competitor,
    /// The link to the server.
    pub(super) link: &'a MeasuredLink,
    /// The builds.
    pub(super) sources: &'a SourceTrees,
}

impl CompetitorRun<'_> {
    /// Prepares, runs, measures and checks.
    pub(super) fn run(&self, destination: &mut Destination) -> Result<Run> {
        self.prepare(destination)?;
        self.measure(destination)
    }

    /// Brings the destination and the caches here into the state that the scenario begins with.
    fn prepare(&self, destination: &mut Destination) -> Result<()> {
        match self.scenario.before() {
            _ if self.competitor.role == Role::Floor => Ok(()),
            Before::Nothing => destination.clear(self.server),
            Before::Same => self.prepare_build(destination, self.source(), true),
            Before::Pushed(build) => {
                self.prepare_build(destination, self.sources.get(build), false)
            }
        }?;
        if self.scenario == Scenario::Fresh { destination.clear_home() } else { Ok(()) }
    }

    /// Lets the competitor itself push `source` first, so that it finds its own state. If it can't,
    /// the destination gets a copy.
    fn prepare_build(
        &self,
        destination: &mut Destination,
        source: &Source,
        same: bool,
    ) -> Result<()> {
        if destination.holds(source, same) {
            return Ok(());
        }
        destination.clear(self.server)?;
        measure::run(&mut self.command(destination, source, &self.server.direct_config))?;
        let shell = &self.server.shell;
        if source.listing.compare(&Listing::on_server(shell, &destination.tree)?) != Outcome::Right
        {
            shell.copy(&source.path, &destination.tree)?;
        }
        destination.content = Some(source.version());
        Ok(())
    }

    fn measure(&self, destination: &mut Destination) -> Result<Run> {
        self.server.start_measuring();
        self.link.start_counting();
        let used = measure::run(&mut self.command(destination, self.source(), &self.link.config))?;
        let (counts, on_server) = (self.link.counts(), self.server.usage());
        let outcome = self.check(destination, &used)?;
        destination.content = (outcome == Outcome::Right).then(|| self.source().version());
        Ok(Run {
            outcome,
            wall_us: micros(used.wall),
            cpu_us: micros(used.cpu),
            far_cpu_us: on_server.map(|usage| micros(usage.cpu)),
            far_peak_bytes: on_server.map(|usage| usage.peak),
            sent_bytes: counts.sent,
            received_bytes: counts.received,
        })
    }

    fn check(&self, destination: &Destination, used: &Usage) -> Result<Outcome> {
        if !used.status.success() {
            let said = format!("{}: {}", used.status, used.last_line);
            return Ok(Outcome::Failed { said: said.trim_end_matches([':', ' ']).to_owned() });
        }
        if self.competitor.role == Role::Floor {
            return Ok(Outcome::Right);
        }
        let found = Listing::on_server(&self.server.shell, &destination.tree)?;
        Ok(self.source().listing.compare(&found))
    }

    /// The build that the scenario pushes.
    fn source(&self) -> &Source {
        self.sources.get(self.scenario.pushes())
    }

    /// The competitor's command to push `source`, with the ssh configuration at `config`.
    fn command(&self, destination: &mut Destination, source: &Source, config: &str) -> Command {
        let line = destination.placeholders(source, config, self.server, self.assetsync);
        let line = line.expand(&self.competitor.command);
        destination.shell(&line)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
