//! The arguments of `assetsync doctor`.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::config::SettingsArguments;
use super::connection::SshArguments;
use super::rollout::HostsArguments;
use super::store::StoreLocation;

/// The arguments of `assetsync doctor`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub struct DoctorArguments {
    /// [user@]host:path, a local path, s3://bucket/prefix, or several; or a stage of the project
    #[arg(value_name = "DEST", value_hint = ValueHint::Other)]
    pub destinations: Vec<OsString>,
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
    pub place: StoreLocation,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

const USAGE: &str = "\
assetsync doctor [OPTIONS] [DEST]...
       assetsync doctor [OPTIONS] STAGE";

/// The description of `doctor`.
pub const ABOUT: &str = "\
Show versions and agents, and how hosts would be pushed to

For each DEST: how it is reached and why in that way, its platform and login shell, whether an \
agent runs there, and what of a push or deploy would be slow or refused. A missing agent is \
installed, as a push would; the directory DEST itself is not looked at (push -n does that).

For a bucket: its URL and region, where the credentials come from, whether it can be listed, and \
what the last push left. Nothing is written there.";
