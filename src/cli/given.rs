//! Which options of a group the command line gives.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command};

/// The first option of the group `A` that the command line gives, by its long name; those in
/// `besides` do not count.
pub fn first_of<A: Args>(matches: &ArgMatches, besides: &[&str]) -> Option<String> {
    let group = A::augment_args(Command::new("group"));
    let counts = |arg: &&Arg| {
        let id = arg.get_id().as_str();
        !besides.contains(&id) && is_given(matches, id)
    };
    let option = group.get_arguments().find(counts).and_then(Arg::get_long);
    option.map(|name| format!("--{name}"))
}

/// Whether the command line itself gives an argument, which defaults and variables do not.
pub fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}
