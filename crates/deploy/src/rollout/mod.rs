//! Rollouts: from one deployment to every host, all or none.
//!
//! ```text
//! check -> build -> stage everywhere -> publish everywhere -> hooks, restart -> prune -> clean up
//! ```
//!
//! Nothing is published before every place (a set of assets on a host) has all its files, staged and verified. A failure
//! until then leaves every host as it was. [`Rollout`] is the way in; it tells a [`Monitor`] what it does, stops when a
//! [`Cancel`] is asked, and ends with an [`Outcome`] that says for every place what is served there.
//!
//! The connection to each host stays from staging to pruning, and with it the lock on the destination: no other push can
//! come in between.

mod build;
mod cancel;
mod command_phase;
mod each;
mod event;
mod fleet;
mod hooks;
mod line_splitter;
mod local_command;
mod outcome;
mod payload;
mod pipeline;
mod remote_command;
mod retention;
mod rollback;
mod secrets;
mod started;
mod target;
mod target_status;
mod verbs;
mod version_managers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use assetsync_core::recipe::Recipes;
use assetsync_ssh::{Agents, NoPrompt, Prompt};
use assetsync_sync::store::Store;
use assetsync_sync::{ConnectOptions, SourceError};

pub use self::cancel::Cancel;
pub use self::command_phase::CommandPhase;
pub use self::event::{Event, Monitor, NoMonitor, Phase};
pub use self::outcome::{Outcome, RolloutResult, ServedVersion, TargetError, TargetOutcome};
pub use self::remote_command::CommandFailure;
pub use self::target::DeployTarget;
pub use self::target_status::{KeptDeploy, TargetState, TargetStatus};
use crate::command::Shown;
use crate::config::Deployment;
use crate::history::RollbackError;

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

/// Why a rollout was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// No host of the stage gets any assets.
    #[error("No host of stage '{0}' gets assets: no role of a host is one of assets.roles")]
    NoTargets(String),
    /// No host has the role.
    #[error("No host of stage '{1}' has the role '{0}'")]
    UnknownRole(String, String),
    /// There is no such host.
    #[error("Stage '{1}' has no host '{0}'")]
    UnknownHost(String, String),
    /// Without an agent nothing can be staged and published later.
    #[error(
        "{0} is to be reached by SFTP alone, but a deploy runs an agent there; assetsync push SRC DEST can do without"
    )]
    OnlySftp(String),
    /// A pattern or a fingerprint rule of a set of assets.
    #[error("assets.{key}: {reason}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Some places failed before anything was published.
    #[error("{failed} of {all} failed, so nothing is published")]
    NotStaged {
        /// How many places failed.
        failed: usize,
        /// How many there are.
        all: usize,
    },
    /// Some places failed while they published.
    #[error("{failed} of {all} failed while they published")]
    NotPublished {
        /// How many places failed.
        failed: usize,
        /// How many there are.
        all: usize,
    },
    /// All is live, but old files could not be deleted everywhere.
    #[error("Old files could not be deleted: {failed} of {all} failed")]
    NotPruned {
        /// How many places failed.
        failed: usize,
        /// How many there are.
        all: usize,
    },
    /// The build failed.
    #[error("The build failed: {0}")]
    Build(#[source] Box<CommandFailure>),
    /// A hook on this machine failed.
    #[error("Hook {command_phase} '{command}' failed: {failure}")]
    Hook {
        /// The list it is on.
        command_phase: CommandPhase,
        /// The command.
        command: Shown,
        /// Why.
        failure: Box<CommandFailure>,
    },
    /// Commands on hosts failed.
    #[error("{command_phase} failed on {}", hosts(.failures))]
    Commands {
        /// What they were to do.
        command_phase: CommandPhase,
        /// Hosts, and why it failed there.
        failures: Vec<(String, TargetError)>,
    },
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] Arc<SourceError>),
    /// There is nothing to push.
    #[error("There are no files in {} (dot-files such as .keep do not count), so nothing is pushed and nothing is deleted", assetsync_core::text::path(.0))]
    NoFiles(PathBuf),
    /// Sprockets could take the wrong manifest.
    #[error(
        "{} has {count} Sprockets manifests: {}; delete the old ones (rake assets:clobber)",
        assetsync_core::text::path(.folder), .manifests.join(", ")
    )]
    Manifests {
        /// The source.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// Their paths.
        manifests: Vec<String>,
    },
    /// There is nothing to go back to.
    #[error("{target}: {reason}")]
    Rollback {
        /// The place's label.
        target: String,
        /// Why.
        reason: RollbackError,
    },
    /// Going back as many steps would bring different deploys back.
    #[error("Hosts have different histories: {0}; name the deploy to bring back by its id")]
    DifferentDeploys(String),
    /// What is to come back is not whole any more.
    #[error(
        "{count} files of deploy {deploy} are missing on {target} and are not kept here either, {example} among them; \
         deploy that version again"
    )]
    Missing {
        /// The deploy.
        deploy: String,
        /// The place's label.
        target: String,
        /// How many files.
        count: usize,
        /// One of them.
        example: String,
    },
    /// What was built can't be deleted here.
    #[error("Can't delete {}: {source}", assetsync_core::text::path(.path))]
    CleanUp {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of this machine can't be written.
    #[error("Can't write a temporary file: {0}")]
    Temporary(#[source] std::io::Error),
    /// Somebody asked for it.
    #[error("Cancelled")]
    Cancelled,
}

impl From<SourceError> for RolloutError {
    fn from(error: SourceError) -> RolloutError {
        RolloutError::Source(Arc::new(error))
    }
}

fn hosts(failures: &[(String, TargetError)]) -> String {
    let told: Vec<String> =
        failures.iter().map(|(host, error)| format!("{host}: {error}")).collect();
    told.join("; ")
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

    fn connection<'a>(&'a self, target: &'a DeployTarget, timeout: Duration) -> ConnectOptions<'a> {
        ConnectOptions {
            agents: &self.agents,
            ssh: &target.ssh,
            prompt: &*self.prompt,
            timeout: timeout,
            bytes_per_second: self.bytes_per_second,
            dry_run: false,
            checksum: false,
            store: self.store.as_deref(),
            group: None,
        }
    }
}
