//! A rollout: its deployment, and how it is run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::{Agents, NoPrompt, Prompt};
use assetsync_sync::Store;

use super::cancel::Cancel;
use super::event::Monitor;
use crate::config::Deployment;

/// Agents, store and limits of all pushes.
#[derive(Clone)]
pub struct Engine {
    /// Available agent builds.
    pub agents: Arc<Agents>,
    /// Caches contents and states of destinations.
    pub store: Option<Arc<Store>>,
    /// Asks for passphrases.
    pub prompt: Arc<dyn Prompt + Send + Sync>,
    /// The recipes to use; if none, all that pay off on the link.
    pub recipes: Option<Recipes>,
    /// Most bytes a second to each host.
    pub bytes_per_second: Option<u64>,
    /// The folder in which this machine remembers states of buckets.
    pub bucket_memory: Option<PathBuf>,
}

/// Which part of a deployment is rolled out, and with which options.
#[derive(Debug, Clone, Default)]
pub struct RolloutSelection {
    /// Only hosts with one of these roles; all if there are none.
    pub roles: Vec<String>,
    /// Only these hosts, by address or `address:port`; all if there are none.
    pub hosts: Vec<String>,
    /// Dry run: nothing is built, run or changed.
    pub dry_run: bool,
    /// Use the existing output of the build.
    pub skip_build: bool,
    /// Exclude hosts that fail, and continue with the rest.
    pub keep_going: bool,
    /// Refuse to delete more paths of an asset set on a host. If not given, to delete most of what
    /// is there.
    pub max_delete: Option<u64>,
    /// Whether questions can be asked on the terminal.
    pub interactive: bool,
}

/// A rollout of one deployment.
pub struct Rollout<'a> {
    /// The hosts, asset sets and commands.
    pub deployment: &'a Deployment,
    /// The project's folder: sources are below it, and commands of this machine run in it.
    pub project: &'a Path,
    /// Agents, store and limits of all pushes.
    pub engine: &'a Engine,
    /// The part that is rolled out, and options.
    pub selection: &'a RolloutSelection,
    /// Cancels the rollout.
    pub cancel: &'a Cancel,
    /// Receives events.
    pub monitor: Arc<dyn Monitor>,
}

/// The carried agents, and those found beside them; no store, no prompt, no limit.
impl Default for Engine {
    fn default() -> Engine {
        Engine {
            agents: Arc::new(assetsync_agents::agents()),
            store: None,
            prompt: Arc::new(NoPrompt),
            recipes: None,
            bytes_per_second: None,
            bucket_memory: None,
        }
    }
}
