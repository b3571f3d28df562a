//! The arguments of `assetsync doctor`.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::connection::SshArguments;
use super::store::StoreLocation;

/// The arguments of `assetsync doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// [user@]host:path, or a local path; may be several
    #[arg(value_name = "DEST", value_hint = ValueHint::Other)]
    pub destinations: Vec<OsString>,
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

/// The description of `doctor`.
pub const ABOUT: &str = "\
Show versions and agents, and how hosts would be pushed to

For each DEST: how it is reached and why in that way, its platform and login shell, whether an \
agent runs there, and what of a push or deploy would be slow or refused. A missing agent is \
installed, as a push would; the directory DEST itself is not looked at (push -n does that).";
