//! The command line: as typed ([`args`]), and what it comes to ([`options`]).

// The comments of arguments are the help that users read; its brackets are no links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod args;
pub mod bench;
pub mod cache;
mod check_paths;
mod check_several;
pub mod config;
mod given;
pub mod help;
pub mod init;
pub mod options;
pub mod push_paths;
pub mod rate;
pub mod rollout;
mod rules;
pub mod stage_options;
pub mod store;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use self::args::Arguments;

/// Reads the command line; on bad usage says why and exits with 2.
///
/// The matches are needed besides the values: only they know in which order options were given.
pub fn parse() -> (ArgMatches, Arguments) {
    let mut command = Arguments::command();
    let matches = command.get_matches_mut();
    let lacks_source = |given: &&ArgMatches| !given.contains_id("source");
    if let Some(given) = matches.subcommand_matches("push").filter(lacks_source)
        && let Some(push) = command.find_subcommand_mut("push")
    {
        push_without_source(push, given);
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (matches, arguments)
}

/// `-h` alone asks for help. With anything else it is rsync's, and what is missing is the source: a
/// script whose variables are empty must not end with 0.
fn push_without_source(push: &mut Command, given: &ArgMatches) -> ! {
    let counts = |id: &str| id != "human_readable" && given::is_given(given, id);
    if push.get_arguments().any(|arg| counts(arg.get_id().as_str())) {
        push.error(ErrorKind::MissingRequiredArgument, "SRC is missing").exit();
    }
    // There is nobody left to tell where standard output fails.
    let _ = push.print_help();
    std::process::exit(0)
}
