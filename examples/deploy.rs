//! A deploy tool: `deploy STAGE`, with the settings of `assetsync.toml`.

#![allow(clippy::print_stdout)] // An example may talk.

use std::error::Error;
use std::sync::Arc;

use assetsync_deploy::{
    Cancel, ConfigFile, Engine, Event, LoadedConfig, Monitor, Overrides, Rollout, RolloutSelection,
};

struct Print;

impl Monitor for Print {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Phase { phase, .. } => println!("{phase}"),
            Event::Staged { target, report } => println!("  {target}: {} files", report.files_sent),
            Event::Failed { target, reason } => println!("  {target}: {reason}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let stage = std::env::args().nth(1).ok_or("usage: deploy STAGE")?;
    let loaded = LoadedConfig::find(&std::env::current_dir()?)?;
    let file = ConfigFile::parse("assetsync.toml", &loaded.text)?;
    let rollout = Rollout {
        deployment: &file.resolve(Some(&stage), &Overrides::default())?.deployment()?,
        project: &loaded.folder,
        engine: &Engine::default(),
        selection: &RolloutSelection::default(),
        cancel: &Cancel::default(), // Any thread may keep a clone, and call `cancel()`.
        monitor: Arc::new(Print),
    };
    rollout.deploy()?.error.map_or(Ok(()), |error| Err(error.into()))
}
