//! Why a rollout, one of its targets, or a command failed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use assetsync_core::protocol::{Failure, FailureCode};
use assetsync_core::text;
use assetsync_ssh::TransportError;
use assetsync_sync::{PushError, SourceError};
use assetsync_verify::Difference;

use super::command_failure::CommandFailure;
use super::command_phase::CommandPhase;
use super::over_sftp::{because, no_history};
use crate::command::Shown;

/// Why a rollout was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolloutError {
    /// No host of the stage gets any assets.
    #[error("No host of stage '{0}' gets assets: no role of a host is one of assets.roles")]
    NoTargets(String),
    /// No host has the role.
    #[error("No host of stage '{stage}' has the role '{role}'{}", meant(.nearest))]
    UnknownRole {
        /// The role.
        role: String,
        /// The stage.
        stage: String,
        /// The role that was probably meant.
        nearest: Option<String>,
    },
    /// There is no such host.
    #[error("Stage '{stage}' has no host '{host}'{}", meant(.nearest))]
    UnknownHost {
        /// The host.
        host: String,
        /// The stage.
        stage: String,
        /// The host that was probably meant.
        nearest: Option<String>,
    },
    /// Buckets, and no host, that store other files of one set.
    #[error(
        "{} and {} store different compressed files in place of plain ones (buckets.encoding), and \
         no host knows all files; nothing was rolled back: deploy the earlier revision again, or \
         roll back one by one: --hosts {}", .0[0], .0[1], .0[0]
    )]
    Encodings([String; 2]),
    /// A bucket of the stage.
    #[error("{label}: {error}")]
    Bucket {
        /// The bucket, as it is written in the settings.
        label: String,
        /// Why.
        error: Box<TargetError>,
    },
    /// Something is asked of hosts alone.
    #[error("Stage '{0}' has no hosts, only buckets, and nothing is installed in those")]
    OnlyBuckets(String),
    /// A pattern or a fingerprint rule of a set of assets.
    #[error("assets.{key}: {reason}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// The error.
        reason: String,
    },
    /// Another deploy uses the same checkout.
    #[error(
        "Another deploy from this checkout is running ({holder}); deploy again when it has ended \
         (its lock is {})",
        assetsync_core::text::path(.path)
    )]
    CheckoutLocked {
        /// The lock.
        path: PathBuf,
        /// Its user and process, and since when it runs.
        holder: String,
    },
    /// Some targets failed before anything was published.
    #[error("{failed} of {all} failed, so nothing is published")]
    NotStaged {
        /// How many targets failed.
        failed: usize,
        /// The number of all targets.
        all: usize,
    },
    /// Some targets failed while they published.
    #[error("{failed} of {all} failed while they published")]
    NotPublished {
        /// How many targets failed.
        failed: usize,
        /// The number of all targets.
        all: usize,
    },
    /// Everything is live, but not all web servers answer with it.
    #[error("{failed} of {all} do not serve to visitors what was published")]
    NotVerified {
        /// How many targets failed.
        failed: usize,
        /// The number of all targets.
        all: usize,
    },
    /// The settings name no site.
    #[error("No host of stage '{0}' has a verify.url, so there is nothing to ask for")]
    NoSite(String),
    /// Everything is live, but old files could not be deleted everywhere.
    #[error("Old files could not be deleted: {failed} of {all} failed")]
    NotPruned {
        /// How many targets failed.
        failed: usize,
        /// The number of all targets.
        all: usize,
    },
    /// The build failed.
    #[error("The build '{command}' failed: {failure}")]
    Build {
        /// The command.
        command: Shown,
        /// Why.
        failure: Box<CommandFailure>,
    },
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
        /// The phase in which they failed.
        command_phase: CommandPhase,
        /// The hosts and their errors.
        failures: Vec<(String, TargetError)>,
    },
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] Arc<SourceError>),
    /// The source has no files.
    #[error("There are no files in {} (dot-files such as .keep do not count), so nothing is pushed and nothing is deleted", assetsync_core::text::path(.0))]
    NoFiles(PathBuf),
    /// Several Sprockets manifests: Sprockets could load the wrong one.
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
    /// A target has no deploy to roll back to.
    #[error("{target}: {reason}")]
    Rollback {
        /// The target's label.
        target: String,
        /// Why.
        reason: String,
    },
    /// The same number of steps back leads to different deploys.
    #[error("The histories of deploys differ: {0}; name the deploy to bring back by its id")]
    DifferentDeploys(String),
    /// Files of the deploy exist neither on the host nor in the local store.
    #[error(
        "{count} files of deploy {deploy} are missing on {target} and are not kept here either, {example} among them; \
         deploy that version again"
    )]
    Missing {
        /// The deploy.
        deploy: String,
        /// The target's label.
        target: String,
        /// How many files.
        count: usize,
        /// One of them.
        example: String,
    },
    /// The output of the build can't be deleted.
    #[error("Can't delete {}: {source}", assetsync_core::text::path(.path))]
    CleanUp {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of this machine can't be written.
    #[error("Can't write a temporary file: {0}")]
    Temporary(#[source] io::Error),
    /// The rollout was cancelled.
    #[error("Cancelled")]
    Cancelled,
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
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

/// Why a target failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The push failed.
    #[error(transparent)]
    Push(#[from] PushError),
    /// A command failed on the host.
    #[error(transparent)]
    Command(#[from] CommandFailure),
    /// Its thread ended unexpectedly.
    #[error("internal error: the worker stopped unexpectedly; please report this as a bug")]
    Ended,
    /// No thread could be started.
    #[error(
        "can't start a thread for it on this machine: {0}; lower max_parallel, or raise the limit on processes"
    )]
    NoThread(#[source] io::Error),
    /// The directory is missing in which commands run later.
    #[error(
        "{0} does not exist there, or can't be entered, and hooks or the restart run in it; create \
         it (the first deploy of the application does), or correct hosts.current_path"
    )]
    NoCurrent(String),
    /// Another push or deploy has locked the destination.
    #[error("Another push to this destination is running ({0}); try again when it has ended")]
    Locked(String),
    /// The user can't write to the destination.
    #[error("{0} can't be written by the user who logs in")]
    NotWritable(String),
    /// The user can't read the history of deploys on the host.
    #[error(
        "{failure}; only the user who deploys can read the history there: log in as that user (ssh.user), not as {user}"
    )]
    NotReadable {
        /// The agent's failure, with the path.
        failure: Failure,
        /// The user who logged in.
        user: String,
    },
    /// Visitors do not get what was published.
    #[error("{url}: {difference}{}{}", server(.address), and_others(*.others))]
    Unlike {
        /// The URL of the first such file.
        url: String,
        /// What is wrong with it.
        difference: Difference,
        /// What was connected to.
        address: String,
        /// How many others are not answered as they were published.
        others: usize,
    },
    /// Objects that are not as the last push left them.
    #[error("{}{}", .shown.join("; "), and_others(*.others))]
    UnlikeObjects {
        /// What is wrong with the first ones.
        shown: Vec<String>,
        /// How many others there are.
        others: usize,
    },
    /// A bucket.
    #[cfg(feature = "buckets")]
    #[error(transparent)]
    Bucket(Arc<assetsync_bucket::BucketError>),
    /// Without an agent, deploys go there over SFTP, which keeps no history. With the reason,
    /// unless that is how the host is to be reached.
    #[error("{}", no_history(.0.as_ref()))]
    NoHistory(Option<TransportError>),
    /// Without an agent, a directory is not exchanged as a whole.
    #[error(
        "assets.publish is \"directory\", which needs an agent, and this host is reached by SFTP only{}",
        because(.0.as_ref())
    )]
    NoExchange(Option<TransportError>),
    /// No deploy is live there.
    #[error("no deploy is live there")]
    NoDeploy,
    /// The history of deploys there can't be used.
    #[error("{0}")]
    History(String),
}

fn server(address: &str) -> String {
    format!(" (asked at {})", text::name(address))
}

fn and_others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; and 1 other file is not right".to_owned(),
        count => format!("; and {count} other files are not right"),
    }
}

impl TargetError {
    /// Whether it is a state of a bucket that the next push makes anew.
    #[cfg(feature = "buckets")]
    pub(super) fn is_made_anew(&self) -> bool {
        matches!(self, TargetError::Bucket(error) if error.is_damaged_state())
    }

    /// There are no buckets.
    #[cfg(not(feature = "buckets"))]
    pub(super) fn is_made_anew(&self) -> bool {
        false
    }

    /// Whether the failure of a publishing left nothing changed. Over SFTP, another push can take
    /// over meanwhile.
    pub(super) fn is_taken_back(&self) -> bool {
        matches!(self, TargetError::Push(PushError::Agent(failure))
            if !matches!(failure.code, FailureCode::Mixed | FailureCode::Locked))
    }
}
