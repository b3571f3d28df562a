//! Where the settings of a project come from, and the arguments of `assetsync config`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};

/// Where settings come from, for every command that reads a project's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where settings come from")]
pub struct SettingsArguments {
    /// Read FILE [default: assetsync.toml, here or in the nearest folder above]
    #[arg(long = "config", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Work in DIR: what is built is below it, and the build runs there [default: the folder of the file]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub project: Option<PathBuf>,
    /// Set a value over all others, as in assets.retention.keep=5; may be repeated
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, value_hint = ValueHint::Other)]
    pub set: Vec<String>,
}

/// What `assetsync config` is told.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct ConfigArguments {
    /// The stage; without one all are checked, and what they have in common is shown
    pub stage: Option<String>,
    /// Say where each value comes from
    #[arg(long)]
    pub origin: bool,
    /// Print one JSON object instead of TOML
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
}

/// What `config` does.
pub const ABOUT: &str = "\
Show the settings that count, and where each comes from

A value in a later place goes over those before: built-in defaults, the file, its stage, the host, \
variables (ASSETSYNC_DEPLOY_TO for deploy_to), --set. Lists grow by KEY.append and shrink by \
KEY.remove; a list that is assigned anew and so loses items is reported. Secrets are never shown.";

const EXAMPLES: &str = "\
Examples:
  Every value of a stage, and the line it comes from:
    assetsync config production --origin

  What one more program on rbenv's list would come to:
    assetsync config production --set rbenv.map_bins.append=foreman";
