//! The race itself: rounds of scenarios, in each of which everyone runs in turn.

mod meeting;
mod stand;
mod turn;

use std::path::PathBuf;

use assetsync_link::LinkSpec;
use assetsync_loopback_sshd::process::find;
use assetsync_transport::{RemoteTarget, SshOptions};

use self::meeting::Meeting;
use crate::competitor::Competitor;
use crate::error::{Doing, Error, Result};
use crate::ground::Ground;
use crate::machine;
use crate::monitor::{Event, Monitor};
use crate::record::{Entrant, Race, Record, SCHEMA};
use crate::scenario::{Build, Scenario};
use crate::source::Sources;

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
        old: sources.get(Build::Old).bundle.clone(),
        new: sources.get(Build::New).bundle.clone(),
        destination: ground.label.clone(),
        runs: plan.runs,
        competitors: plan.competitors.iter().map(entrant).collect(),
        races,
    }
}
