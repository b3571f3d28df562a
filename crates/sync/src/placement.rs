//! Destinations that are hardly meant, told from their names and this machine's directories alone.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use assetsync_core::text;
use assetsync_ssh::{RemoteTarget, Target};

use crate::destination::Destination;
use crate::scan::filter::{Filter, Verdict};

/// A destination that would harm the source or another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacementError {
    /// The destination.
    pub destination: Destination,
    /// The source.
    pub source_path: PathBuf,
    /// What is wrong with it.
    pub misplaced: Misplaced,
}

/// What is wrong with a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misplaced {
    /// Another one is the same directory.
    Twice,
    /// It is the source.
    IsSource,
    /// The source is in it, and would be deleted.
    HoldsSource,
    /// It is in the source, at this path, and not left out: each push would push it, too.
    InSource(PathBuf),
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PlacementError { destination, source_path, misplaced } = self;
        let source = text::path(source_path);
        match misplaced {
            Misplaced::Twice => write!(f, "Destination {destination} is given twice"),
            Misplaced::IsSource => {
                write!(f, "Destination {destination} and source {source} are the same directory")
            }
            Misplaced::HoldsSource => {
                write!(f, "Source {source} is in {destination}, so deleting there would delete it")
            }
            Misplaced::InSource(_) => write!(
                f,
                "Destination {destination} is in source {source}, so each push would push it, too"
            ),
        }
    }
}

impl std::error::Error for PlacementError {}

/// The first destination that is misplaced.
pub fn check_placement(
    source: &Path,
    destinations: &[Destination],
    filter: &Filter,
    delete: bool,
) -> Result<(), Box<PlacementError>> {
    for (index, destination) in destinations.iter().enumerate() {
        let target = &destination.target;
        let misplaced = match target {
            _ if destinations[..index].iter().any(|other| is_same(&other.target, target)) => {
                Some(Misplaced::Twice)
            }
            Target::Local(path) => overlap(source, path, filter, delete),
            Target::Remote(_) => None,
        };
        if let Some(misplaced) = misplaced {
            let (destination, source_path) = (destination.clone(), source.to_owned());
            return Err(Box::new(PlacementError { destination, source_path, misplaced }));
        }
    }
    Ok(())
}

/// Whether two targets are the same directory, as far as their names tell.
fn is_same(one: &Target, other: &Target) -> bool {
    match (one, other) {
        (Target::Remote(one), Target::Remote(other)) => {
            let host = |target: &RemoteTarget| RemoteTarget { path: "".into(), ..target.clone() };
            host(one) == host(other) && Path::new(&one.path) == Path::new(&other.path)
        }
        _ => one == other,
    }
}

fn overlap(source: &Path, target: &Path, filter: &Filter, delete: bool) -> Option<Misplaced> {
    if !source.is_dir() {
        return None;
    }
    let (from, to) = (resolved(source)?, resolved(target)?);
    if from == to {
        return Some(Misplaced::IsSource);
    }
    if delete && from.starts_with(&to) {
        return Some(Misplaced::HoldsSource);
    }
    let inside = to.strip_prefix(&from).ok()?;
    (!is_excluded(inside, filter)).then(|| Misplaced::InSource(inside.to_owned()))
}

/// Whether a directory of the source, or one that it is in, is left out.
fn is_excluded(inside: &Path, filter: &Filter) -> bool {
    let mut parents = inside.ancestors().filter(|path| !path.as_os_str().is_empty());
    parents.any(|path| filter.verdict(path.as_os_str().as_bytes(), true) == Verdict::Excluded)
}

/// The path without links and `..`, as far as it exists.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let exists =
        |there: &Path| Some(there.canonicalize().ok()?.join(path.strip_prefix(there).ok()?));
    path.ancestors().find_map(exists)
}
