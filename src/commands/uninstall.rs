//! `assetsync uninstall`: removes what pushes left on hosts.

use std::sync::Arc;
use std::time::Duration;

use assetsync_ssh::{NoPrompt, Prompt, Uninstall, UninstallError};
use assetsync_sync::{Destination, PushError};
use clap::ArgMatches;

use super::destinations::{Given, chosen, stage_option};
use crate::cli::connection::SshArguments;
use crate::cli::given::first_of;
use crate::cli::options::ssh_options;
use crate::cli::uninstall::UninstallArguments;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::output::Output;
use crate::ui::prompt::TerminalPrompt;
use crate::ui::uninstalled;

/// Removes it, host by host.
pub fn run(matches: &ArgMatches, arguments: UninstallArguments) -> Exit {
    let console = Arc::new(Console::new(Output::default()));
    let exit = uninstall(matches, arguments, &console).unwrap_or_else(|exit| exit);
    console.finish(exit)
}

fn uninstall(
    matches: &ArgMatches,
    arguments: UninstallArguments,
    console: &Arc<Console>,
) -> Result<Exit, Exit> {
    let UninstallArguments { destinations, dry_run, hosts, settings, ssh } = arguments;
    let interactive = console.is_interactive();
    let timeout = Duration::from_secs(ssh.timeout.into());
    let selection = chosen(&hosts, interactive);
    let host_option = first_of::<SshArguments>(matches, &[]);
    let stage_option = stage_option(matches);
    let given = Given { host_option, stage_option, settings: &settings, selection: &selection };
    let found = given.hosts(&destinations, ssh_options(ssh, interactive), console)?;
    let person = TerminalPrompt::new(Arc::clone(console));
    let asker = person.asker();
    let prompt: &dyn Prompt = if interactive { &asker } else { &NoPrompt };
    let exits: Vec<Exit> = found
        .iter()
        .map(|(destination, ssh)| {
            let uninstall = Uninstall { ssh, prompt, timeout, dry_run };
            one(console, &uninstall, destination)
        })
        .collect();
    Ok(Exit::of_all(&exits))
}

fn one(console: &Console, uninstall: &Uninstall<'_>, destination: &Destination) -> Exit {
    match uninstall.run(&destination.target) {
        Ok(found) => {
            console.print_stdout(&uninstalled::text(&destination.label, &found, uninstall.dry_run));
            if found.left.is_empty() { Exit::Done } else { Exit::Failed }
        }
        Err(error) => {
            let error = match error {
                UninstallError::Transport(error) => CommandError::from(&PushError::from(error)),
                error => CommandError::failed(error),
            };
            console.error(Some(&destination.label), &error);
            error.exit
        }
    }
}
