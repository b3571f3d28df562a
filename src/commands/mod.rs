//! The commands, one file each.

mod bench;
mod completions;
mod config;
mod destinations;
mod doctor;
#[cfg(feature = "buckets")]
mod doctor_bucket;
mod explain;
mod init;
mod man;
mod project;
mod push;
#[cfg(feature = "buckets")]
mod push_bucket;
mod rollout;
mod source_warnings;
mod store;
mod uninstall;

use clap::ArgMatches;

pub use self::completions::answer as answer_completion;
use crate::cli::args::{Arguments, Command};
use crate::error::Exit;

/// Runs the command.
pub fn run(matches: &ArgMatches, arguments: Arguments) -> Exit {
    match arguments.command {
        Command::Push(arguments) => {
            // Always present: the arguments came from these matches.
            let matches = matches.subcommand_matches("push").unwrap_or(matches);
            push::run(matches, *arguments)
        }
        Command::Deploy(arguments) => rollout::deploy(&arguments),
        Command::Rollback(arguments) => rollout::rollback(&arguments),
        Command::Verify(arguments) => rollout::verify(&arguments),
        Command::Status(arguments) => rollout::status(&arguments),
        Command::Prune(arguments) => rollout::prune(&arguments),
        Command::Explain(arguments) => {
            let matches = matches.subcommand_matches("explain").unwrap_or(matches);
            explain::run(matches, &arguments)
        }
        Command::Uninstall(arguments) => {
            let matches = matches.subcommand_matches("uninstall").unwrap_or(matches);
            uninstall::run(matches, *arguments)
        }
        Command::Doctor(arguments) => {
            let matches = matches.subcommand_matches("doctor").unwrap_or(matches);
            doctor::run(matches, *arguments)
        }
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::BenchSession { log } => bench::session(&log),
        Command::Store(arguments) => store::run(&arguments),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { page } => man::run(page),
    }
}
