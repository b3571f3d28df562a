//! Runs a race: rounds of scenarios, in each of which all competitors run, one after the other.

mod destination;
mod run;
mod schedule;

use assetsync_loopback_sshd::process::find;

use self::schedule::Schedule;
use crate::competitor::Competitor;
use crate::error::{Error, ErrorContext, Result};
use crate::file_system;
use crate::machine;
use crate::monitor::{Event, Monitor};
use crate::plan::Plan;
use crate::record::{CompetitorCommand, Race, Record, SCHEMA};
use crate::scenario::Build;
use crate::server::Server;
use crate::sources::SourceTrees;

/// Programs that competitors may need, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 3] =
    [("ssh", "openssh-client"), ("rsync", "rsync"), ("zstd", "zstd")];

/// Races, and removes everything it made on both sides, even after an error.
pub fn race(plan: &Plan, monitor: &dyn Monitor) -> Result<Record> {
    check_programs(plan)?;
    let parent = file_system::scratch_parent();
    let scratch = tempfile::Builder::new().prefix("assetsync-bench-").tempdir_in(&parent);
    let scratch = scratch.doing("make a directory in", &parent)?;
    monitor.event(Event::Preparing("copying OLD and NEW"));
    let mut sources = SourceTrees::copy(&plan.old, &plan.new, scratch.path())?;
    monitor.event(Event::Preparing("reaching the destination"));
    let server = match &plan.to {
        Some(target) => Server::remote(target, &plan.ssh, scratch.path())?,
        None => Server::loopback(&plan.assetsync, scratch.path())?,
    };
    let mut schedule =
        Schedule { plan, monitor, server: &server, scratch: scratch.path(), done: 0 };
    let races = schedule.races(&mut sources);
    monitor.event(Event::Preparing("clearing up"));
    let cleaned = server.clean_up();
    let races = races?;
    cleaned?;
    // Of another host it is not known.
    let on = file_system::name(scratch.path()).filter(|_| plan.to.is_none());
    let record = record(plan, &server, &sources, races);
    Ok(match on {
        Some(on) => Record { destination: format!("{}, on {on}", record.destination), ..record },
        None => record,
    })
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

fn record(plan: &Plan, server: &Server, sources: &SourceTrees, races: Vec<Race>) -> Record {
    let command = |one: &Competitor| CompetitorCommand {
        name: one.name.clone(),
        command: one.command.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    Record {
        schema: SCHEMA,
        machine: machine::machine(),
        programs: machine::programs(),
        old: sources.get(Build::Old).bundle.clone(),
        new: sources.get(Build::New).bundle.clone(),
        destination: server.label.clone(),
        runs: plan.runs,
        competitors: plan.competitors.iter().map(command).collect(),
        races,
    }
}
