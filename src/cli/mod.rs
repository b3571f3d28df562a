//! The command line: as parsed ([`args`]), and as checked values ([`options`]).

// The comments of arguments are the help texts; their brackets are not links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod args;
pub mod bench;
#[cfg(feature = "buckets")]
pub mod bucket;
#[cfg(feature = "buckets")]
pub mod bucket_push;
pub mod cache;
mod check_paths;
mod check_several;
pub mod config;
pub mod connection;
pub mod doctor;
pub mod explain;
pub mod given;
pub mod help;
pub mod init;
pub mod man;
pub mod options;
pub mod push_paths;
pub mod rate;
pub mod rollout;
pub mod rsync_options;
mod rsync_path;
mod rules;
pub mod stage_options;
pub mod store;
pub mod uninstall;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use self::args::Arguments;

/// Parses the command line; on bad usage prints why and exits with 2.
///
/// The matches are returned too, because only they have the order of the options.
pub fn parse() -> (ArgMatches, Arguments) {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(std::env::args_os());
    let matches = matches.unwrap_or_else(|mut error| {
        rsync_options::explain(&mut error);
        error.exit()
    });
    let lacks_source = |given: &&ArgMatches| !given.contains_id("source");
    if let Some(given) = matches.subcommand_matches("push").filter(lacks_source)
        && let Some(push) = command.find_subcommand_mut("push")
    {
        push_without_source(push, given);
    }
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (matches, arguments)
}

/// The command line's definition.
pub fn command() -> Command {
    help::shorten(Arguments::command()).mut_subcommands(|subcommand| match subcommand.get_name() {
        "push" => rsync_options::register(subcommand),
        _ => subcommand,
    })
}

/// A lone `-h` prints help. Together with other arguments it is rsync's `-h`, and the source is
/// missing: a script whose variables are empty must not exit with 0.
fn push_without_source(push: &mut Command, given: &ArgMatches) -> ! {
    let counts = |id: &str| id != "human_readable" && given::is_given(given, id);
    if push.get_arguments().any(|arg| counts(arg.get_id().as_str())) {
        push.error(ErrorKind::MissingRequiredArgument, "SRC is missing").exit();
    }
    // If standard output fails, there is nowhere to report that.
    let _ = help::without_headings(push.clone()).print_help();
    std::process::exit(0)
}
