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
pub enum PlacementError {
    /// Another destination is the same directory.
    Twice(Destination),
    /// The destination is the source.
    IsSource(Destination, PathBuf),
    /// The source is in the destination, and would be deleted.
    HoldsSource(Destination, PathBuf),
    /// The destination is in the source, and not left out: each push would push it, too.
    InSource {
        /// The destination.
        destination: Destination,
        /// The source.
        source_path: PathBuf,
        /// Where in the source it is.
        inside: PathBuf,
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlacementError::Twice(destination) => {
                write!(f, "Destination {destination} is given twice")
            }
            PlacementError::IsSource(destination, source) => {
                let source = text::path(source);
                write!(f, "Destination {destination} and source {source} are the same directory")
            }
            PlacementError::HoldsSource(destination, source) => {
                let source = text::path(source);
                write!(f, "Source {source} is in {destination}, so deleting there would delete it")
            }
            PlacementError::InSource { destination, source_path, .. } => write!(
                f,
                "Destination {destination} is in source {}, so each push would push it, too",
                text::path(source_path)
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
        if destinations[..index].iter().any(|other| is_same(&other.target, target)) {
            return Err(Box::new(PlacementError::Twice(destination.clone())));
        }
        if let Some(error) = overlap(source, destination, filter, delete) {
            return Err(Box::new(error));
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

fn overlap(
    source: &Path,
    destination: &Destination,
    filter: &Filter,
    delete: bool,
) -> Option<PlacementError> {
    let Target::Local(target) = &destination.target else { return None };
    if !source.is_dir() {
        return None;
    }
    let (from, to) = (resolved(source)?, resolved(target)?);
    let (destination, source_path) = (destination.clone(), source.to_owned());
    if from == to {
        return Some(PlacementError::IsSource(destination, source_path));
    }
    if delete && from.starts_with(&to) {
        return Some(PlacementError::HoldsSource(destination, source_path));
    }
    let inside = to.strip_prefix(&from).ok()?.to_owned();
    (!is_excluded(&inside, filter)).then_some(PlacementError::InSource {
        destination,
        source_path,
        inside,
    })
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
