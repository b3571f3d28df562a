//! `assetsync completions`, and the completion of a command line, which the shell asks for by
//! running this program with [`VARIABLE`].

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCandidates, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{CompleteEnv, Shells};

use super::project::Project;
use crate::cli;
use crate::cli::config::SettingsArguments;
use crate::error::{CommandError, Exit};
use crate::ui::console::{print, report};

/// Set by the scripts of [`run`], to the name of the shell.
const VARIABLE: &str = "_ASSETSYNC_COMPLETE";

const NAME: &str = "assetsync";

/// Prints the completion script of a shell.
pub fn run(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    // Every shell of clap's list has a script.
    let written = shells
        .completer(&shell.to_string())
        .map(|shell| shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script));
    match written {
        Some(Err(error)) => report(&CommandError::failed(error)),
        _ => print(&script),
    }
}

/// If a shell asks for completions, prints them and ends the program.
pub fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).bin(NAME).complete();
}

/// The command line, whose stages and hosts are those of the project of the current directory.
fn command() -> Command {
    cli::command().mut_subcommands(|subcommand| {
        let takes_stages = matches!(subcommand.get_name(), "explain" | "uninstall");
        subcommand.mut_args(|arg| match arg.get_id().as_str() {
            "name" | "stage" => arg.add(ArgValueCandidates::new(stages)),
            "destination" | "destinations" if takes_stages => {
                arg.add(ArgValueCandidates::new(stages))
            }
            "hosts" => arg.add(ArgValueCandidates::new(hosts)),
            "source" => directory_or_stage(arg),
            _ => arg,
        })
    })
}

/// The first argument of `push`.
fn directory_or_stage(arg: Arg) -> Arg {
    arg.add(clap_complete::engine::ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let typed = current.to_string_lossy();
        let is_typed =
            |stage: &CompletionCandidate| stage.get_value().to_string_lossy().starts_with(&*typed);
        let stages = stages().into_iter().filter(is_typed);
        stages.chain(PathCompleter::dir().complete(current)).collect()
    }))
}

fn stages() -> Vec<CompletionCandidate> {
    let project = Project::open(&SettingsArguments::default());
    project.map_or_else(|_| Vec::new(), |project| candidates(project.stages()))
}

fn hosts() -> Vec<CompletionCandidate> {
    let Ok(project) = Project::open(&SettingsArguments::default()) else { return Vec::new() };
    let settings = project.stages().into_iter().filter_map(|stage| {
        let settings = project.settings(Some(stage)).ok()?;
        settings.deployment().ok()
    });
    let mut hosts: Vec<String> = settings
        .flat_map(|deployment| deployment.hosts.into_iter().map(|host| host.address))
        .collect();
    hosts.sort();
    hosts.dedup();
    candidates(hosts)
}

fn candidates<T: Into<std::ffi::OsString>>(
    values: impl IntoIterator<Item = T>,
) -> Vec<CompletionCandidate> {
    values.into_iter().map(CompletionCandidate::new).collect()
}
