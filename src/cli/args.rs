//! The command line as clap parses it; [`super::options`] checks and resolves it.

use std::ffi::OsString;
use std::path::PathBuf;

use assetsync_sync::LinkRules;
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};

use super::bench::{self, BenchArguments};
use super::cache::CacheArguments;
use super::config::{self, ConfigArguments, SettingsArguments};
use super::connection::SshArguments;
use super::doctor::{self, DoctorArguments};
use super::explain::{self, ExplainArguments};
use super::help;
use super::init::{self, InitArguments};
use super::man;
use super::rollout::{
    self, DeployArguments, HostsArguments, PruneArguments, RollbackArguments, StatusArguments,
    VerifyArguments,
};
use super::store::{self, StoreArguments};
use super::uninstall::{self, UninstallArguments};
use crate::ui::change_format::ChangeFormat;

/// Push compiled web assets to servers: sends only what changed, publishes all or nothing
#[derive(Debug, Parser)]
#[command(name = "assetsync", version, max_term_width = 100, after_help = help::end())]
pub struct Arguments {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make DEST equal to SRC
    #[command(long_about = help::PUSH)]
    Push(Box<PushArguments>),
    /// Build, and deploy to all hosts and buckets of a stage, or to none
    #[command(long_about = rollout::DEPLOY)]
    Deploy(Box<DeployArguments>),
    /// Restore an earlier deploy on all hosts and buckets, or on none
    #[command(long_about = rollout::ROLLBACK)]
    Rollback(Box<RollbackArguments>),
    /// Show live and kept deploys of hosts and buckets, and what changed
    #[command(long_about = rollout::STATUS)]
    Status(Box<StatusArguments>),
    /// Ask web servers for what is live on hosts, and compare buckets
    #[command(long_about = rollout::VERIFY)]
    Verify(Box<VerifyArguments>),
    /// Delete what retention no longer keeps, on every host and bucket
    #[command(long_about = rollout::PRUNE)]
    Prune(Box<PruneArguments>),
    /// Create assetsync.toml, from the Capistrano configuration if there is one
    #[command(long_about = init::ABOUT)]
    Init(InitArguments),
    /// Show the effective settings, and where each comes from
    #[command(long_about = config::ABOUT)]
    Config(ConfigArguments),
    /// Show versions and agents, and how hosts would be pushed to
    #[command(long_about = doctor::ABOUT)]
    Doctor(Box<DoctorArguments>),
    /// Say how a file travelled in the last push, why, and what it cost
    #[command(long_about = explain::ABOUT)]
    Explain(Box<ExplainArguments>),
    /// Remove what assetsync left on hosts; the served files stay
    #[command(long_about = uninstall::ABOUT)]
    Uninstall(Box<UninstallArguments>),
    /// Measure assetsync against rsync, with your own builds
    #[command(long_about = bench::ABOUT)]
    Bench(Box<BenchArguments>),
    /// Show or prune the local store
    #[command(long_about = store::ABOUT)]
    Store(StoreArguments),
    /// Run the command of an SSH session and measure it: the ForceCommand of the sshd of a race
    #[command(hide = true)]
    BenchSession {
        /// The file to append the measurements to
        log: PathBuf,
    },
    /// Print a shell completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page: assetsync man > assetsync.1
    Man {
        /// The page
        #[arg(value_enum, default_value = "assetsync")]
        page: man::Page,
    },
}

/// The arguments of `assetsync push`.
#[derive(Debug, Args)]
#[command(
    after_help = help::SHORT,
    after_long_help = help::long_end(),
    override_usage = help::PUSH_USAGE,
    disable_help_flag = true,
)]
pub struct PushArguments {
    /// Directory or files to push; without DEST, a stage of the project
    ///
    /// The content of a directory is pushed, with or without a trailing slash. As with rsync, a
    /// file goes into the directory DEST, or if there is none, is called that; several go into
    /// DEST.
    // A lone -h prints help; super::parse refuses any other command line without a source.
    #[arg(
        value_name = "SRC",
        value_hint = ValueHint::AnyPath,
        required = false,
        required_unless_present = "human_readable",
    )]
    pub source: PathBuf,
    /// [user@]host:path, a local path, s3://bucket/prefix; or several
    ///
    /// Also ssh://[user@]host[:port]/path.
    #[arg(value_name = "DEST", value_hint = ValueHint::Other)]
    pub destinations: Vec<OsString>,
    /// More files to push, if SRC is one: taken from the destinations.
    #[arg(skip)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub choice: SelectionArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub memory: CacheArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hosts: HostsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ssh: SshArguments,
    #[cfg(feature = "buckets")]
    #[command(flatten)]
    #[allow(missing_docs)]
    pub bucket: super::bucket::BucketArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArguments,
}

/// Which files are pushed, compared and deleted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArguments {
    /// Only show what would be done
    ///
    /// Installs a missing agent, except with --transport sftp.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete extraneous files at DEST, after all else
    #[arg(
        long,
        aliases = ["del", "delete-before", "delete-during", "delete-delay", "delete-after"],
    )]
    pub delete: bool,
    /// Delete excluded files at the destination, too; implies --delete
    #[arg(long)]
    pub delete_excluded: bool,
    /// Refuse to delete more than N paths
    ///
    /// Lets a first push delete up to N unrelated files, which is refused without it.
    #[arg(long, value_name = "N")]
    pub max_delete: Option<u64>,
    /// Allow --delete with a source that has no files: deletes everything at the destination
    #[arg(long)]
    pub allow_empty: bool,
    /// Exclude matching files, as in rsync
    ///
    /// The first matching pattern of --exclude, --include and their files decides.
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub exclude: Vec<OsString>,
    /// Don't exclude matching files
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub include: Vec<OsString>,
    /// Read exclude patterns from FILE, one per line ("-" reads standard input)
    #[arg(long, value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath)]
    pub exclude_from: Vec<PathBuf>,
    /// Read include patterns from FILE, one per line ("-" reads standard input)
    #[arg(long, value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath)]
    pub include_from: Vec<PathBuf>,
    /// Add a filter rule, as in rsync: "- *.map", "P uploads/", "merge FILE"
    #[arg(short = 'f', long, value_name = "RULE", action = ArgAction::Append, allow_hyphen_values = true)]
    pub filter: Vec<OsString>,
    /// Push only the paths in FILE, one per line, relative to SRC ("-" reads standard input)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["delete", "delete_excluded"])]
    pub files_from: Option<PathBuf>,
    /// The lists of --files-from, --exclude-from and --include-from end each item with a NUL byte
    #[arg(short = '0', long)]
    pub from0: bool,
    /// Push what symlinks lead to in place of the symlinks
    #[arg(short = 'L', long)]
    pub copy_links: bool,
    /// Push what symlinks lead to in place of those that leave SRC
    #[arg(long)]
    pub copy_unsafe_links: bool,
    /// Push directories in place of the symlinks that lead to them
    #[arg(short = 'k', long)]
    pub copy_dirlinks: bool,
    /// Leave out symlinks that leave SRC
    #[arg(long)]
    pub safe_links: bool,
    /// Publish matching files late, like pages and manifests
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub entry_point: Vec<OsString>,
    /// Set permissions, as in rsync: D755,F644 or u=rwX
    #[arg(long, value_name = "CHMOD", action = ArgAction::Append, allow_hyphen_values = true)]
    pub chmod: Vec<String>,
    /// Read and compare every file at DEST
    #[arg(short = 'c', long)]
    pub checksum: bool,
    /// Compare files even if size and time are equal
    #[arg(short = 'I', long, hide = true)]
    pub ignore_times: bool,
    /// Treat files of equal size as unchanged
    #[arg(long, conflicts_with_all = ["checksum", "ignore_times"])]
    pub size_only: bool,
}

impl SelectionArguments {
    /// Whether extraneous files are deleted.
    pub fn deletes(&self) -> bool {
        self.delete || self.delete_excluded
    }

    /// What is done with symlinks.
    pub fn links(&self) -> LinkRules {
        LinkRules {
            copy_all: self.copy_links,
            copy_unsafe: self.copy_unsafe_links,
            copy_dirs: self.copy_dirlinks,
            skip_unsafe: self.safe_links,
        }
    }
}

/// The output options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// Print steps and changed paths; -vv adds timings
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "itemize_changes", "stats"])]
    pub quiet: bool,
    /// Print one line in rsync's format for each changed path
    #[arg(long)]
    pub itemize_changes: bool,
    /// Print changed paths in this format, as in rsync: %i %n %f %L %l %o %h %p
    #[arg(long, alias = "log-format", value_name = "FORMAT", value_parser = ChangeFormat::parse)]
    pub out_format: Option<ChangeFormat>,
    /// Append every changed path and result to FILE
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log_file: Option<PathBuf>,
    /// The format of changed paths in the file of --log-file
    #[arg(long, value_name = "FORMAT", value_parser = ChangeFormat::parse, requires = "log_file", hide = true)]
    pub log_file_format: Option<ChangeFormat>,
    /// Print more statistics at the end
    #[arg(long)]
    pub stats: bool,
    /// Print JSON, one object per line
    #[arg(long, conflicts_with_all = ["quiet", "itemize_changes", "out_format", "stats"])]
    pub json: bool,
    /// Sizes are always human-readable
    #[arg(short = 'h', long, hide = true, action = ArgAction::Count)]
    pub human_readable: u8,
    /// Print all options; -h alone prints these
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_accepts_the_definition() {
        Arguments::command().debug_assert();
    }
}
