//! A deploy tool in 40 lines: `deploy STAGE`, with the settings of `assetsync.toml` and agents
//! from `ASSETSYNC_AGENTS`.

#![allow(clippy::print_stdout)] // An example may talk.

use std::error::Error;
use std::sync::Arc;

use assetsync_deploy::config;
use assetsync_deploy::config::{ConfigFile, Overrides};
use assetsync_deploy::rollout::{
    Cancel, Engine, Event, Monitor, Rollout, RolloutResult, RolloutSelection,
};
use assetsync_ssh::Agents;

struct Tell;

impl Monitor for Tell {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Phase(phase) => println!("{phase}"),
            Event::Staged { target, report } => println!("  {target}: {} files", report.files_sent),
            Event::Failed { target, reason } => println!("  {target}: {reason}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let stage = std::env::args().nth(1).ok_or("usage: deploy STAGE")?;
    let found = config::find(&std::env::current_dir()?)?;
    let file = ConfigFile::parse("assetsync.toml", &found.text)?;
    let deployment = file.resolve(Some(&stage), &Overrides::default())?.deployment()?;
    let outcome = Rollout {
        deployment: &deployment,
        project: &found.folder,
        engine: &Engine::new(Agents::default().search()),
        selection: &RolloutSelection::default(),
        // Any thread may keep a clone of it, and call `cancel()`.
        cancel: &Cancel::new(),
        monitor: Arc::new(Tell),
    }
    .deploy()?;
    match (outcome.rollout_result(), outcome.error) {
        (RolloutResult::Done, _) => Ok(()),
        (_, error) => Err(error.map_or("some hosts failed".into(), Into::into)),
    }
}
