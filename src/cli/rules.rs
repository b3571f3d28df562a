//! The filter: its rules in the order of the command line, and the list of `--files-from`.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::text;
use assetsync_sync::{Filter, Rule, Sides, parse_lines};
use clap::ArgMatches;

use super::args::SelectionArguments;
use super::given::is_given;
use crate::error::CommandError;

/// How deep files of rules may name others.
const MAX_DEPTH: usize = 8;

/// An option with rules.
enum Given<'a> {
    Pattern(Rule, &'a OsString),
    File(Rule, &'a Path),
    Line(&'a OsString),
}

/// The filter that the options make; the order of all five kinds matters.
pub fn filter(matches: &ArgMatches, given: &SelectionArguments) -> Result<Filter, CommandError> {
    let mut rules = Rules {
        filter: Filter::default(),
        // As in rsync, rules then only count in the source, if they do not say otherwise.
        sides: Sides { sender: true, receiver: !given.delete_excluded },
        from0: given.from0,
    };
    for given in in_order(matches, given) {
        match given {
            Given::Pattern(rule, pattern) => rules.add(rule, pattern.as_bytes())?,
            Given::File(rule, path) => rules.add_file(rule, path)?,
            Given::Line(line) => rules.add_line(line.as_bytes(), 0)?,
        }
    }
    match &given.files_from {
        None => Ok(rules.filter),
        Some(path) => only(
            rules.filter,
            &read("the list", path)?,
            given.from0,
            is_given(matches, "recursive"),
        ),
    }
}

/// The options with rules, in the order of the command line.
fn in_order<'a>(matches: &ArgMatches, given: &'a SelectionArguments) -> Vec<Given<'a>> {
    let mut ordered = Vec::new();
    let mut add = |name, values: Vec<Given<'a>>| {
        let indices = matches.indices_of(name).into_iter().flatten();
        ordered.extend(indices.zip(values));
    };
    let patterns = |rule, values: &'a [OsString]| {
        values.iter().map(|pattern| Given::Pattern(rule, pattern)).collect()
    };
    add("exclude", patterns(Rule::Exclude, &given.exclude));
    add("include", patterns(Rule::Include, &given.include));
    let exclude_files = given.exclude_from.iter().map(|path| Given::File(Rule::Exclude, path));
    add("exclude_from", exclude_files.collect());
    let include_files = given.include_from.iter().map(|path| Given::File(Rule::Include, path));
    add("include_from", include_files.collect());
    add("filter", given.filter.iter().map(Given::Line).collect());
    ordered.sort_by_key(|(at, _)| *at);
    ordered.into_iter().map(|(_, given)| given).collect()
}

/// The rules read so far.
struct Rules {
    filter: Filter,
    /// Where a rule counts that does not say it.
    sides: Sides,
    from0: bool,
}

impl Rules {
    /// Adds a pattern, which may have a rule of its own before it, or the mark that forgets all
    /// rules.
    fn add(&mut self, rule: Rule, text: &[u8]) -> Result<(), CommandError> {
        let sign: &[u8] = match (text, rule) {
            (b"", _) => return Ok(()),
            (b"!" | [b'+' | b'-', b' ', ..], _) => b"",
            (_, Rule::Include) => b"+ ",
            (_, Rule::Exclude) => b"- ",
        };
        let line = [sign, text].concat();
        self.filter.push_line(&line, self.sides).map(drop).map_err(CommandError::usage)
    }

    fn add_file(&mut self, rule: Rule, path: &Path) -> Result<(), CommandError> {
        let text = read("patterns", path)?;
        match self.from0 {
            true => text.split(|&byte| byte == 0).try_for_each(|item| self.add(rule, item)),
            false => parse_lines(&text, rule).try_for_each(|(rule, line)| self.add(rule, line)),
        }
    }

    /// Adds a rule of `--filter`, or the rules of the file that it names.
    fn add_line(&mut self, line: &[u8], depth: usize) -> Result<(), CommandError> {
        let merged = self.filter.push_line(line, self.sides).map_err(CommandError::usage)?;
        let Some(path) = merged else { return Ok(()) };
        if depth == MAX_DEPTH {
            return Err(CommandError::usage(format!(
                "{} is merged more than {MAX_DEPTH} files deep",
                text::name(path)
            )));
        }
        let text = read("rules", Path::new(OsStr::from_bytes(path)))?;
        let mut lines = parse_lines(&text, Rule::Exclude);
        lines.try_for_each(|(_, line)| self.add_line(line, depth + 1))
    }
}

/// The filter that lets only the listed paths through, and, with `-r`, what is below them.
fn only(filter: Filter, list: &[u8], from0: bool, deep: bool) -> Result<Filter, CommandError> {
    let ends = |byte: &u8| if from0 { *byte == 0 } else { matches!(byte, b'\n' | b'\r') };
    let is_comment = |item: &&[u8]| !from0 && matches!(item.first(), Some(b';' | b'#'));
    let items = || list.split(ends).filter(|item| !item.is_empty() && !is_comment(item));
    let leaves = |item: &&[u8]| item.split(|&byte| byte == b'/').any(|name| name == b"..");
    if let Some(outside) = items().find(leaves) {
        let text = format!("{} of --files-from leaves SRC", text::name(outside));
        return Err(CommandError::usage(text));
    }
    Ok(filter.only(items(), deep))
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, CommandError> {
    let read = match path == Path::new("-") {
        false => std::fs::read(path),
        true => {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).map(|_| text)
        }
    };
    read.map_err(|error| {
        CommandError::usage(format!("Can't read {what} from {}: {error}", text::path(path)))
    })
}
