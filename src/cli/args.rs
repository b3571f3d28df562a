//! The command line as it is typed. What the words mean is decided in [`super::options`].

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::bench::{self, BenchArguments};
use super::cache::CacheArguments;
use super::config::{self, ConfigArguments, SettingsArguments};
use super::help;
use super::init::{self, InitArguments};
use super::rate::Rate;
use super::rollout::{
    self, DeployArguments, HostsArguments, PruneArguments, RollbackArguments, StatusArguments,
};
use super::store::{self, StoreArguments};

/// Push compiled web assets to servers: only what changed travels, and nothing is half published
#[derive(Debug, Parser)]
#[command(name = "assetsync", version, max_term_width = 100, after_help = help::end())]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the contents of DEST the contents of SRC
    #[command(long_about = help::PUSH)]
    Push(Box<PushArguments>),
    /// Build, and bring what was built to every host of a stage, all or none
    #[command(long_about = rollout::DEPLOY)]
    Deploy(Box<DeployArguments>),
    /// Bring an earlier deploy's exact files back, on all hosts or none
    #[command(long_about = rollout::ROLLBACK)]
    Rollback(Box<RollbackArguments>),
    /// Show, for each host, what is live, what is kept, and what was changed by hand
    #[command(long_about = rollout::STATUS)]
    Status(Box<StatusArguments>),
    /// Delete old files that retention lets go, on every host
    #[command(long_about = rollout::PRUNE)]
    Prune(Box<PruneArguments>),
    /// Write an assetsync.toml to begin with, from Capistrano's files where there are any
    #[command(long_about = init::ABOUT)]
    Init(InitArguments),
    /// Show the settings that count, and where each comes from
    #[command(long_about = config::ABOUT)]
    Config(ConfigArguments),
    /// Race against rsync with builds of your own
    #[command(long_about = bench::ABOUT)]
    Bench(Box<BenchArguments>),
    /// See what was kept of earlier pushes, or drop what is not needed
    #[command(long_about = store::ABOUT)]
    Store(StoreArguments),
    /// Run the command of an SSH session and measure it: the ForceCommand of the sshd of a race
    #[command(hide = true)]
    BenchSession {
        /// The file to append the measurements to
        log: PathBuf,
    },
    /// Print a script that completes this command's words in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for man(1)
    Man,
}

/// What `assetsync push` is told.
#[derive(Debug, Args)]
#[command(
    after_help = help::SHORT,
    after_long_help = help::long_end(),
    override_usage = help::PUSH_USAGE,
    disable_help_flag = true,
)]
pub struct PushArguments {
    /// The directory to push; a slash at its end makes no difference. Alone: a stage of assetsync.toml
    // A lone -h asks for help: super::parse sees to it that no push goes without a source.
    #[arg(
        value_name = "SRC",
        value_hint = ValueHint::DirPath,
        required = false,
        required_unless_present = "human_readable",
    )]
    pub source: PathBuf,
    /// [user@]host:path, ssh://[user@]host[:port]/path, or a local path; several hosts at once work
    #[arg(value_name = "DEST", value_hint = ValueHint::Other)]
    pub destinations: Vec<OsString>,
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
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub habits: RsyncCompatArguments,
}

/// What is pushed, compared and deleted.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is pushed")]
pub struct SelectionArguments {
    /// Only show what would be done; a missing agent is installed, but not with --transport sftp
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete what the source does not have, after everything else
    #[arg(long)]
    pub delete: bool,
    /// Do nothing if more than N paths would be deleted; let a first push delete up to N of whatever stands there
    #[arg(long, value_name = "N")]
    pub max_delete: Option<u64>,
    /// With --delete, let a source without files empty the destination
    #[arg(long)]
    pub allow_empty: bool,
    /// Leave out what matches; the first pattern that matches decides, as in rsync
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub exclude: Vec<OsString>,
    /// Do not leave out what matches
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub include: Vec<OsString>,
    /// Read exclude patterns from FILE, one a line ("-" reads standard input)
    #[arg(long, value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath)]
    pub exclude_from: Vec<PathBuf>,
    /// Read include patterns from FILE, one a line ("-" reads standard input)
    #[arg(long, value_name = "FILE", action = ArgAction::Append, value_hint = ValueHint::FilePath)]
    pub include_from: Vec<PathBuf>,
    /// Publish what matches after what it names, as is done with manifests and *.html
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, allow_hyphen_values = true)]
    pub entry_point: Vec<OsString>,
    /// Compare the content of all files, whatever the destination remembers of them
    #[arg(short = 'c', long)]
    pub checksum: bool,
    /// Take files of the same size to be the same
    #[arg(long, conflicts_with = "checksum")]
    pub size_only: bool,
}

/// How hosts are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "How hosts are reached")]
pub struct SshArguments {
    /// Log in with this private key and no other; may be repeated
    #[arg(short = 'i', long = "identity", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub identities: Vec<PathBuf>,
    /// The port of the SSH server
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Read FILE instead of ~/.ssh/config
    #[arg(short = 'F', long = "ssh-config", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config_file: Option<PathBuf>,
    /// Reach hosts with this command, as in rsync: -e "ssh -i KEY"
    #[arg(short = 'e', long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub rsh: Option<String>,
    /// Reach hosts this way [default: ssh2, or openssh where a host's settings need it]
    #[arg(long, value_name = "WAY")]
    pub transport: Option<TransportArgument>,
    /// Give up after so many seconds without an answer
    #[arg(
        long,
        value_name = "S",
        default_value_t = 60,
        value_parser = clap::value_parser!(u32).range(1..=86_400),
    )]
    pub timeout: u32,
    /// Send at most RATE bytes a second: KiB without a suffix, else K, M or G, as in rsync
    #[arg(long, value_name = "RATE")]
    pub bwlimit: Option<Rate>,
}

/// The ways to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransportArgument {
    /// SSH inside this program, with the settings `ssh` would use
    Ssh2,
    /// The ssh program
    Openssh,
    /// Whole files over SFTP, where no program can be run
    Sftp,
}

/// What is said about it.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is printed")]
pub struct OutputArguments {
    /// Say each step and name each changed path; twice: with the time of each step
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, conflicts_with_all = ["verbose", "itemize_changes", "stats"])]
    pub quiet: bool,
    /// Print a line in rsync's format for each changed path
    #[arg(long)]
    pub itemize_changes: bool,
    /// Print more numbers at the end
    #[arg(long)]
    pub stats: bool,
    /// Print one JSON object a line instead of words
    #[arg(long, conflicts_with_all = ["quiet", "itemize_changes", "stats"])]
    pub json: bool,
    /// Print help; a lone -h prints less
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Options of rsync that fingers know and that change nothing here.
#[derive(Debug, Args)]
pub struct RsyncCompatArguments {
    /// Times, modes and links are carried always
    #[arg(short, long, hide = true)]
    pub archive: bool,
    /// Directories are pushed with all that is in them
    #[arg(short, long, hide = true)]
    pub recursive: bool,
    /// What travels is compressed always
    #[arg(short = 'z', long, hide = true)]
    pub compress: bool,
    /// Sizes are printed for people always
    #[arg(short = 'h', long, hide = true, action = ArgAction::Count)]
    pub human_readable: u8,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_rsync_users_type_is_understood() {
        let line = ["assetsync", "push", "-avz", "--delete", "-e", "ssh -i KEY", "a/", "h:b"];
        let Command::Push(push) = Arguments::try_parse_from(line).unwrap().command else {
            panic!("a push");
        };
        assert!(push.habits.archive && push.habits.compress && push.choice.delete);
        assert_eq!(push.output.verbose, 1);
        assert_eq!(push.ssh.rsh.as_deref(), Some("ssh -i KEY"));
    }
}
