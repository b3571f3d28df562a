//! A rollout: its deployment, and how it is run.

use std::path::Path;
use std::sync::Arc;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::{Agents, NoPrompt, Prompt};
use assetsync_sync::store::Store;

use super::cancel::Cancel;
use super::event::Monitor;
use crate::config::Deployment;

/// What pushes are made with.
#[derive(Clone)]
pub struct Engine {
    /// Agent builds at hand.
    pub agents: Arc<Agents>,
    /// Where contents and states of destinations are remembered.
    pub store: Option<Arc<Store>>,
    /// Who is asked for passphrases.
    pub prompt: Arc<dyn Prompt + Send + Sync>,
    /// The only ways files may take; if none are given, all that pay on the way to a host.
    pub recipes: Option<Recipes>,
    /// Most bytes a second to each host.
    pub bytes_per_second: Option<u64>,
}

/// Which part of a deployment is rolled out, and how.
#[derive(Debug, Clone, Default)]
pub struct RolloutSelection {
    /// Only hosts with one of these roles; all if there are none.
    pub roles: Vec<String>,
    /// Only these hosts, by address or `address:port`; all if there are none.
    pub hosts: Vec<String>,
    /// Only find out what would be done: nothing is built, run or changed.
    pub dry_run: bool,
    /// Take what is built already.
    pub skip_build: bool,
    /// Leave out hosts that fail, and go on with the rest.
    pub keep_going: bool,
    /// Whether a person is there to answer questions.
    pub interactive: bool,
}

/// One deployment, and how it is to be rolled out.
pub struct Rollout<'a> {
    /// What goes where.
    pub deployment: &'a Deployment,
    /// The project's folder: sources are below it, and commands of this machine run in it.
    pub project: &'a Path,
    /// What pushes are made with.
    pub engine: &'a Engine,
    /// Which part, and how.
    pub selection: &'a RolloutSelection,
    /// Who may stop it.
    pub cancel: &'a Cancel,
    /// Who hears of it.
    pub monitor: Arc<dyn Monitor>,
}

impl Engine {
    /// Agents, and nothing else: no store, nobody to ask.
    pub fn new(agents: Agents) -> Engine {
        Engine {
            agents: Arc::new(agents),
            store: None,
            prompt: Arc::new(NoPrompt),
            recipes: None,
            bytes_per_second: None,
        }
    }
}
