//! The arguments that choose a project's settings, and those of `assetsync config`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

/// Where settings come from, for every command that reads `assetsync.toml`.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArguments {
    /// Read settings from FILE [default: assetsync.toml in this directory or its nearest parent]
    #[arg(long = "config", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// The project's directory, where the build runs [default: the directory of assetsync.toml]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Override a setting, e.g. assets.retention.keep=5
    ///
    /// May be repeated.
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, value_hint = ValueHint::Other)]
    pub set: Vec<String>,
}

/// The arguments of `assetsync config`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ConfigArguments {
    /// The stage; without it, all stages are checked and their common settings shown
    pub stage: Option<String>,
    /// Show where each value comes from
    #[arg(long)]
    pub origin: bool,
    /// Print one JSON object instead of TOML
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
}

/// The description of `config`.
pub const ABOUT: &str = "\
Show the effective settings, and where each comes from

Later layers override earlier ones: built-in defaults, the file, its stage, the host, environment \
variables (ASSETSYNC_DEPLOY_TO for deploy_to), --set. KEY.append adds items to a list and \
KEY.remove removes them; replacing a list so that items are lost prints a warning. Secrets are \
never shown.";

const EXAMPLES: &str = "\
Examples:
  Every setting of a stage, and the line it comes from:
    assetsync config production --origin

  The effect of one more item in a list:
    assetsync config production --set rbenv.map_bins.append=foreman";
