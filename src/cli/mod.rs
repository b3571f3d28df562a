//! The command line: as typed ([`args`]), and what it comes to ([`options`]).

// The comments of arguments are the help that users read; its brackets are no links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod args;
pub mod bench;
pub mod config;
pub mod help;
pub mod init;
pub mod options;
pub mod rate;
pub mod rollout;
mod rules;
pub mod stage_options;
pub mod store;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use self::args::Arguments;

/// Reads the command line; on bad usage says why and exits with 2.
///
/// The matches are needed besides the values: only they know in which order options were given.
pub fn parse() -> (ArgMatches, Arguments) {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (matches, arguments)
}
