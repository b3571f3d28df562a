//! The arguments of commands that work on a stage: `deploy`, `rollback`, `status`, `prune`, and `push STAGE`.

use clap::{ArgAction, Args};

use super::cache::CacheArguments;
use super::config::SettingsArguments;

/// Which hosts of a stage are meant.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which hosts")]
pub struct HostsArguments {
    /// Only hosts with one of these roles
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Only these hosts of the stage
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub hosts: Vec<String>,
}

/// What a command that works on a stage prints.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is printed")]
pub struct ReportArguments {
    /// Say each step, and show what the build prints; twice: with the time of each step
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print one JSON object a line instead of words
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
}

/// Which stage, and what every command on one is told.
#[derive(Debug, Args)]
pub struct StageArguments {
    /// The stage, as in assetsync.toml
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

/// What `assetsync deploy` is told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, after_long_help = DEPLOY_EXAMPLES)]
pub struct DeployArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
    /// Only show what would be done with what is built already; change no assets
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Deploy what is built already
    #[arg(long)]
    pub skip_build: bool,
    /// Leave out hosts that fail, and go on with the others
    #[arg(long)]
    pub keep_going: bool,
}

/// What `assetsync rollback` is told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct RollbackArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
    /// How many deploys to go back, or the beginning of a deploy's id
    #[arg(value_name = "N|ID", default_value = "1")]
    pub target: String,
    /// Only show what would be done; change no assets
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// What `assetsync prune` is told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct PruneArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
    /// Only show what would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// What `assetsync status` is told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct StatusArguments {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub stage: StageArguments,
}

/// What `deploy` does.
pub const DEPLOY: &str = "\
Build, and bring what was built to every host of a stage, all or none

All hosts are reached before the build begins. What was built is staged on all of them, beside what is \
served, and published only when every host has all of it. Then hooks run, the application restarts, and \
what no visitor needs any more is deleted. A failure before publishing leaves every host as it was.

Without --skip-build, what was built is deleted here again once all went well (build.cleanup).";

/// What `rollback` does.
pub const ROLLBACK: &str = "\
Bring an earlier deploy's exact files back, on all hosts or none

1 is what was live before; going back by 1 twice is going back by 2. Hosts keep old files for a while \
(assets.retention), so little or nothing is sent.";

/// What `status` does.
pub const STATUS: &str = "\
Show, for each host, what is live, what is kept, and what was changed by hand

The agent is installed where it is missing. Exit status 1 if a host can't be looked at.";

/// What `prune` does.
pub const PRUNE: &str = "\
Delete old files that retention lets go, on every host

Deploys do this by themselves. Files that no deploy brought are left alone.";

const EXIT_CODES: &str =
    "Exit status: 0 done, 1 failed, 2 bad usage or configuration, 3 some hosts failed.";

const DEPLOY_EXAMPLES: &str = "\
Examples:
  See what would travel, without building:
    assetsync deploy production --dry-run

  What a CI job has built, to all hosts that can be reached:
    assetsync deploy production --skip-build --keep-going

  Only one host:
    assetsync deploy production --hosts web1.example.com

Exit status: 0 done, 1 failed, 2 bad usage or configuration, 3 some hosts failed.";
