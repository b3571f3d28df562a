//! Filter rules in the order of the command line.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_sync::scan::filter::{Filter, Rule, parse_lines};
use clap::ArgMatches;

use super::args::SelectionArguments;
use crate::error::CommandError;

/// An option with rules.
enum Given<'a> {
    Pattern(&'a OsString),
    File(&'a Path),
}

/// The filter that the options make; the order of all four kinds matters.
pub fn filter(matches: &ArgMatches, given: &SelectionArguments) -> Result<Filter, CommandError> {
    let mut ordered = Vec::new();
    let patterns =
        [("exclude", Rule::Exclude, &given.exclude), ("include", Rule::Include, &given.include)];
    for (name, rule, values) in patterns {
        let values = values.iter().map(Given::Pattern);
        ordered.extend(indices(matches, name).zip(values).map(|(at, value)| (at, rule, value)));
    }
    let files = [
        ("exclude_from", Rule::Exclude, &given.exclude_from),
        ("include_from", Rule::Include, &given.include_from),
    ];
    for (name, rule, values) in files {
        let values = values.iter().map(|path| Given::File(path));
        ordered.extend(indices(matches, name).zip(values).map(|(at, value)| (at, rule, value)));
    }
    ordered.sort_by_key(|(at, ..)| *at);
    let texts: Vec<(Rule, Vec<u8>)> = ordered
        .iter()
        .map(|(_, rule, given)| Ok((*rule, text(given)?)))
        .collect::<Result<_, CommandError>>()?;
    let rules = ordered.iter().zip(&texts).flat_map(|((.., given), (rule, text))| match given {
        Given::Pattern(_) => vec![(*rule, text.as_slice())],
        Given::File(_) => parse_lines(text, *rule).collect(),
    });
    Filter::parse(rules).map_err(CommandError::usage)
}

/// The positions on the command line of the values of an option.
fn indices<'m>(matches: &'m ArgMatches, name: &str) -> impl Iterator<Item = usize> + use<'m> {
    matches.indices_of(name).into_iter().flatten()
}

fn text(given: &Given<'_>) -> Result<Vec<u8>, CommandError> {
    match given {
        Given::Pattern(pattern) => Ok(pattern.as_bytes().to_vec()),
        Given::File(path) => read(path).map_err(|error| {
            CommandError::usage(format!(
                "Can't read patterns from {}: {error}",
                assetsync_core::text::path(path)
            ))
        }),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    Ok(text)
}
