//! `assetsync explain`: why a file travelled as it did in the last push.

use std::sync::Arc;

use assetsync_ssh::SshOptions;
use assetsync_sync::Store;
use clap::ArgMatches;

use super::destinations::{Given, chosen, stage_option};
use crate::cli::explain::ExplainArguments;
use crate::cli::given::is_given;
use crate::error::{CommandError, Exit};
use crate::ui::console::Console;
use crate::ui::explained;
use crate::ui::output::Output;

/// Explains the file at each destination that is named.
pub fn run(matches: &ArgMatches, arguments: &ExplainArguments) -> Exit {
    let console = Arc::new(Console::new(Output::default()));
    let exit = explain(matches, arguments, &console).unwrap_or_else(|exit| exit);
    console.finish(exit)
}

fn explain(
    matches: &ArgMatches,
    arguments: &ExplainArguments,
    console: &Arc<Console>,
) -> Result<Exit, Exit> {
    let print = |error: CommandError| {
        console.error(None, &error);
        error.exit
    };
    let selection = chosen(&arguments.hosts, false);
    let given = Given {
        host_option: is_given(matches, "port").then(|| "--port".into()),
        stage_option: stage_option(matches),
        settings: &arguments.settings,
        selection: &selection,
    };
    let ssh = SshOptions { port: arguments.port, ..SshOptions::default() };
    let found = given.hosts(std::slice::from_ref(&arguments.destination), ssh, console)?;
    let store = arguments.place.path().map_or(Ok(None), |path| Store::open_existing(&path));
    let store = store.map_err(|error| print(error.into()))?;
    let exits = found.iter().map(|(destination, ssh)| {
        let explain = |store: &Store| store.explain(&destination.target, ssh.port, &arguments.path);
        match store.as_ref().and_then(explain) {
            Some(explanation) => {
                console.print_stdout(&explained::text(&destination.label, &explanation));
                if explanation.recipe.is_some() { Exit::Done } else { Exit::Failed }
            }
            None => {
                let error = unknown();
                console.error(Some(&destination.label), &error);
                error.exit
            }
        }
    });
    Ok(Exit::of_all(&exits.collect::<Vec<_>>()))
}

/// Nothing is remembered of the destination.
fn unknown() -> CommandError {
    CommandError::failed("no push from here to this destination is remembered")
        .hint("name it as it was pushed to, with --port and --store if the push had them; assetsync store status lists what is known")
        .hint("pushes over SFTP, of single files and with --no-store are not remembered; -n -v with a push says what it would do")
}
