//! Refuses several directories as sources. rsync reads the last argument as the destination; here
//! the first one is SRC and all others are destinations, so directories meant as sources would be
//! overwritten and, with `--delete`, emptied.

use std::ffi::OsStr;
use std::path::Path;

use assetsync_core::text;
use assetsync_ssh::Target;
use assetsync_sync::Destination;

use super::push_paths::{PushPaths, push_command};
use crate::error::CommandError;

/// At most this many names are printed; a shell may expand a pattern to hundreds.
const SHOWN: usize = 3;

/// Refuses a local destination together with others.
pub fn refuse(paths: &PushPaths<'_>) -> Result<(), CommandError> {
    let local: Vec<&Destination> =
        paths.destinations.iter().filter(|dest| is_local(dest)).collect();
    if local.is_empty() || paths.destinations.len() == 1 {
        return Ok(());
    }
    if paths.are_files() {
        return Err(beside_files(paths, local[0]));
    }
    let error = CommandError::usage(format!(
        "Only one SRC is allowed, here {}; {} read as DEST, and a local DEST must be the only one",
        shown(paths.source()),
        match local.as_slice() {
            [one] => format!("{} is", one.label),
            several => format!("{} are", list(several)),
        },
    ));
    // As in rsync, sources come first and hosts after them.
    let sources = paths.destinations.iter().take_while(|dest| is_local(dest));
    let sources: Vec<&Path> = sources.filter_map(local_path).collect();
    let rest = &paths.destinations[sources.len()..];
    Err(match rest.iter().any(is_local) {
        false if !rest.is_empty() => for_sources(error, paths, &sources, &rest[0].label),
        false => for_directories(error, paths, &sources),
        true => for_mixed(error, paths, &local),
    })
}

/// `push a.js dir web1:/srv` and `push a.js typo.js web1:/srv`.
fn beside_files(paths: &PushPaths<'_>, local: &Destination) -> CommandError {
    let Destination { label, .. } = local;
    match local_path(local) {
        Some(path) if path.is_dir() => CommandError::usage(format!(
            "{} is a file and {label} a directory; they can't be pushed together, and a local DEST \
             must be the only one",
            shown(paths.source())
        ))
        .hint("push the files and the directory one after the other"),
        _ => CommandError::usage(format!(
            "{label} does not exist, so it is read as DEST, and a local DEST must be the only one"
        )),
    }
}

/// `push public/* web1:/srv`: hosts at the end.
fn for_sources(
    error: CommandError,
    paths: &PushPaths<'_>,
    sources: &[&Path],
    host: &str,
) -> CommandError {
    let error = match common_parent(paths.source(), sources) {
        Some(parent) => {
            let options = if paths.delete { "-n --delete" } else { "-n" };
            let all = push_command(&[&shown(parent), host]);
            let all = all.replacen("push", &format!("push {options}"), 1);
            error.hint(format!("to see what pushing all of {} would do: {all}", shown(parent)))
        }
        None => error,
    };
    each(error, paths.source(), host)
}

/// `push a b c`: either the last one was meant as DEST, or all but the first.
fn for_directories(error: CommandError, paths: &PushPaths<'_>, given: &[&Path]) -> CommandError {
    let (source, first) = (shown(paths.source()), shown(given[0]));
    let last = shown(given[given.len() - 1]);
    let error = error.hint(format!(
        "to push {source} to several directories: {}, and so on",
        push_command(&[&source, &first])
    ));
    each(error, paths.source(), &last)
}

/// `push a web1:/srv b`: a host and a local directory as destinations.
fn for_mixed(error: CommandError, paths: &PushPaths<'_>, local: &[&Destination]) -> CommandError {
    let source = shown(paths.source());
    error.hint(format!(
        "to push to hosts and to a local directory, run one after the other: {}",
        push_command(&[&source, &local[0].label])
    ))
}

/// Suggests a directory of its own below the destination for each source.
fn each(error: CommandError, source: &Path, destination: &str) -> CommandError {
    let Some(name) = source.file_name().filter(|_| source.is_dir()) else { return error };
    let below =
        format!("{}/{}", destination.trim_end_matches('/'), text::name(name.as_encoded_bytes()));
    let command = push_command(&[&shown(source), &below]);
    error.hint(format!("to push several directories into {destination}, one at a time: {command}"))
}

/// The directory that contains all sources.
fn common_parent<'p>(source: &'p Path, others: &[&Path]) -> Option<&'p Path> {
    let parent = source.parent()?;
    let is_common = others.iter().all(|other| other.parent() == Some(parent));
    let parent = if parent.as_os_str() == OsStr::new("") { Path::new(".") } else { parent };
    is_common.then_some(parent)
}

/// `a, b and 398 more`.
fn list(destinations: &[&Destination]) -> String {
    let labels = |some: &[&Destination]| -> Vec<String> {
        some.iter().map(|destination| destination.label.clone()).collect()
    };
    let (shown, last) = match destinations.len() {
        count if count > SHOWN + 1 => {
            (labels(&destinations[..SHOWN]), format!("{} more", count - SHOWN))
        }
        count => {
            let (before, last) = destinations.split_at(count - 1);
            (labels(before), labels(last).concat())
        }
    };
    format!("{} and {last}", shown.join(", "))
}

fn is_local(destination: &Destination) -> bool {
    local_path(destination).is_some()
}

fn local_path(destination: &Destination) -> Option<&Path> {
    match &destination.target {
        Target::Local(path) => Some(path),
        Target::Remote(_) => None,
    }
}

fn shown(path: &Path) -> String {
    text::path(path)
}
