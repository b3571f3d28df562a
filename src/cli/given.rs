//! Which options of a group were given on the command line.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};

/// The long name of the first option of group `A` that was given; those in `besides` do not count.
pub fn first_of<A: Args>(matches: &ArgMatches, besides: &[&str]) -> Option<String> {
    let group = A::augment_args(Command::new("group"));
    let counts = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        !besides.contains(&id) && is_given(matches, id)
    };
    let option = group.get_arguments().find(counts).and_then(Arg::get_long);
    option.map(|name| format!("--{name}"))
}

/// Whether an argument was given on the command line; defaults and variables do not count.
pub fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}
