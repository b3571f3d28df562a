//! The arguments of `assetsync uninstall`.

use std::ffi::OsString;

use clap::{Args, ValueHint};

use super::config::SettingsArguments;
use super::connection::SshArguments;
use super::rollout::HostsArguments;

/// The arguments of `assetsync uninstall`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub struct UninstallArguments {
    /// [user@]host:path, or a local path; may be several. Or a stage of the project
    #[arg(value_name = "DEST", required = true, value_hint = ValueHint::Other)]
    pub destinations: Vec<OsString>,
    /// Only show what would be removed
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub hosts: HostsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: SettingsArguments,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub ssh: SshArguments,
}

const USAGE: &str = "\
assetsync uninstall [OPTIONS] DEST...
       assetsync uninstall [OPTIONS] STAGE";

/// The description of `uninstall`.
pub const ABOUT: &str = "\
Remove what assetsync left on a host; the served files stay

For each DEST: its work directory (index, history of deploys, contents that rollbacks need), and \
the cached agents of the user that logs in. Refused while a push is under way. The next push installs \
an agent again and reads all files once; deploys before it can't be rolled back to.";
