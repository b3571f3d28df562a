//! The arguments of commands that work on a stage: `deploy`, `rollback`, `status`, `prune`, and
//! `push STAGE`.

use clap::{ArgAction, Args};

use super::cache::CacheArguments;
use super::config::SettingsArguments;

/// Which hosts of a stage to work on.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Hosts")]
pub struct HostsArguments {
    /// Only hosts with one of these roles
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Only these hosts of the stage, and buckets by their URLs
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub hosts: Vec<String>,
}

/// The output options of a command on a stage.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ReportArguments {
    /// Print each step and the build's output; -vv adds timings
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print JSON, one object per line
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
}

/// The arguments that all commands on a stage have.
#[derive(Debug, Args)]
pub struct StageArguments {
    /// A stage of assetsync.toml
    #[arg(value_name = "STAGE")]
    pub name: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hosts: HostsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub memory: CacheArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub report: ReportArguments,
}

/// The arguments of `assetsync deploy`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = DEPLOY_EXAMPLES)]
pub struct DeployArguments {
    /// Only show what would be done with the existing build
    ///
    /// Does not build, and changes no assets.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Deploy the existing build
    #[arg(long)]
    pub skip_build: bool,
    /// Skip hosts that fail, and continue with the others
    #[arg(long)]
    pub keep_going: bool,
    /// Refuse to delete more than N paths on a host
    ///
    /// Lets a deploy with assets.delete = "mirror" delete up to N paths that are not earlier
    /// versions of built files: more than half of what is there is refused without it, and anything
    /// in the first deploy.
    #[arg(long, value_name = "N")]
    pub max_delete: Option<u64>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
}

/// The arguments of `assetsync rollback`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RollbackArguments {
    /// Only show what would be done; change no assets
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
    /// How many deploys to go back, or a deploy's id
    #[arg(value_name = "N|ID", default_value = "1", help_heading = None::<&'static str>)]
    pub target: String,
}

/// The arguments of `assetsync prune`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct PruneArguments {
    /// Only show what would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
}

/// The arguments of `assetsync verify`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct VerifyArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
}

/// The arguments of `assetsync status`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct StatusArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
}

/// The description of `deploy`.
pub const DEPLOY: &str = "\
Build, and deploy to every host and bucket of a stage, all or none

First, a connection to every host and bucket is checked. Then the build runs, its files are staged \
everywhere beside the served ones, and published once every host and bucket has all of them. Then \
hooks run, the application restarts, and old files past their retention are deleted. A failure \
before publishing leaves every host and bucket unchanged.

Unless --skip-build is given, the local build is deleted after a successful deploy \
(build.cleanup).";

/// The description of `rollback`.
pub const ROLLBACK: &str = "\
Restore the files of an earlier deploy on all hosts and buckets, or on none

1 is the previous deploy; two rollbacks by 1 equal one by 2. Hosts keep old files for some time \
(assets.retention), so little or nothing is sent.";

/// The description of `status`.
pub const STATUS: &str = "\
Show the live and kept deploys of each host and bucket, and files changed outside of deploys

Installs the agent on hosts that do not have it. Exit status 1 if the status of a host or bucket \
can't be read.";

/// The description of `verify`.
pub const VERIFY: &str = "\
Ask the web server of each host for what is live there, as a visitor does

The files of the live deploy are fetched from every host by itself, below verify.url. Status, \
content, content type and encoding of each must be right. Deploys do this automatically where \
verify.url is set.

Buckets are compared with what the last push left: no object may be missing or have other content. \
The headers of at most 1000 objects are compared, pages and manifests first.";

/// The description of `prune`.
pub const PRUNE: &str = "\
Delete files that retention no longer keeps, on every host and in every bucket

Deploys do this automatically. Files that are not from a deploy are never deleted.";

const EXIT_CODES: &str = "Exit status: 0 done, 1 failed, 2 bad usage, 3 some hosts failed.";

const DEPLOY_EXAMPLES: &str = "\
Examples:
  Show what would be sent, without building:
    assetsync deploy production --dry-run

  Deploy a build of a CI job to all hosts that can be reached:
    assetsync deploy production --skip-build --keep-going

  To one host only:
    assetsync deploy production --hosts web1.example.com

Exit status: 0 done, 1 failed, 2 bad usage, 3 some hosts failed.";
