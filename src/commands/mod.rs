//! One file a command.

mod bench;
mod completions;
mod config;
mod engine;
mod init;
mod man;
mod project;
mod push;
mod rollout;
mod store;

use clap::ArgMatches;

use crate::cli::args::{Arguments, Command};
use crate::error::Exit;

/// Carries out what the command line says.
pub fn run(matches: &ArgMatches, arguments: Arguments) -> Exit {
    match arguments.command {
        Command::Push(arguments) => {
            // The matches of the command that was given are there: the arguments came from them.
            let matches = matches.subcommand_matches("push").unwrap_or(matches);
            push::run(matches, *arguments)
        }
        Command::Deploy(arguments) => rollout::deploy(&arguments),
        Command::Rollback(arguments) => rollout::rollback(&arguments),
        Command::Status(arguments) => rollout::status(&arguments),
        Command::Prune(arguments) => rollout::prune(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::BenchSession { log } => bench::session(&log),
        Command::Store(arguments) => store::run(&arguments),
        Command::Completions { shell } => completions::run(shell),
        Command::Man => man::run(),
    }
}
