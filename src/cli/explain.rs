//! The arguments of `assetsync explain`.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::config::SettingsArguments;
use super::rollout::HostsArguments;
use super::store::StoreLocation;

/// The arguments of `assetsync explain`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub struct ExplainArguments {
    /// [user@]host:path as it was pushed to, a local path, or a stage of the project
    #[arg(value_name = "DEST", value_hint = ValueHint::Other)]
    pub destination: OsString,
    /// The file, below DEST or as the project has it
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub path: String,
    /// The port, if the push was given one
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub place: StoreLocation,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hosts: HostsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
}

const USAGE: &str = "\
assetsync explain [OPTIONS] DEST FILE
       assetsync explain [OPTIONS] STAGE FILE";

/// The description of `explain`.
pub const ABOUT: &str = "\
Say why a file travelled as it did in the last push, and what it cost

How its content got there, from which file, how much of it was new, and why no other way was taken. \
No host is asked: the store remembers this of the last push from this machine that changed DEST.";
