//! Back to an earlier deploy.

use std::collections::{HashMap, HashSet};

use assetsync_core::digest::{Digest, ShortDigest};
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;

use super::deploys::{Deploy, History};
use super::tree::{Content, HistoryFile, Tree};
use super::{RollbackError, destination_state};

/// Which deploy is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackTo<'a> {
    /// This many steps back: 1 is the previous deploy, 0 the live one. A deploy without changes is
    /// not a step, and a rollback counts as the deploy it restored, so going back by 1 twice is
    /// going back by 2.
    Back(u32),
    /// The deploy whose id begins so.
    Id(&'a str),
}

/// The location of a file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentLocation {
    /// At its own path.
    InPlace,
    /// At another path.
    At(RelPath),
    /// Retained on the host.
    Retained,
    /// It is a symbolic link, which needs none.
    Link,
    /// Not on the host; it must be sent.
    Missing,
}

/// The position of the deploy that is meant.
pub fn find(history: &History, target: RollbackTo<'_>) -> Result<usize, RollbackError> {
    match target {
        RollbackTo::Back(steps) => go_back(history, steps),
        RollbackTo::Id(beginning) => find_id(history, beginning),
    }
}

fn find_id(history: &History, beginning: &str) -> Result<usize, RollbackError> {
    let ids = history.deploys().iter().enumerate();
    let matches = ids.filter(|(_, deploy)| deploy.id.to_string().starts_with(beginning));
    let found: Vec<usize> = matches.map(|(at, _)| at).collect();
    match found[..] {
        [] => restoring(history, beginning)
            .ok_or_else(|| RollbackError::Unknown(beginning.to_owned())),
        [one] => Ok(one),
        _ => Err(RollbackError::Ambiguous { id: beginning.to_owned(), count: found.len() }),
    }
}

/// The newest deploy that restored the one with this id, which was forgotten since.
fn restoring(history: &History, id: &str) -> Option<usize> {
    let is_it =
        |deploy: &Deploy| deploy.restores.is_some_and(|restored| restored.to_string() == id);
    history.deploys().iter().rposition(is_it)
}

fn go_back(history: &History, steps: u32) -> Result<usize, RollbackError> {
    let live = history.live().ok_or(RollbackError::NoDeploys)?;
    let mut at = original(history, live);
    for taken in 0..steps {
        let too_few = RollbackError::TooFew { asked: steps, available: taken };
        at = one_back(history, at).ok_or(too_few)?;
    }
    Ok(at)
}

/// The newest deploy before `from` with other content; of a rollback, the deploy it restored.
fn one_back(history: &History, from: usize) -> Option<usize> {
    // What it restored was forgotten, and all that are known here came after that.
    if history.deploys()[from].restores.is_some() {
        return None;
    }
    let differs = history.differs_from_previous();
    let same_since = (1..=from).rev().find(|&deploy| differs[deploy])?;
    Some(original(history, same_since - 1))
}

/// The deploy that `deploy` restored, unless that was forgotten, or itself.
fn original(history: &History, deploy: usize) -> usize {
    let mut at = deploy;
    while let Some(restored) = history.deploys()[at].restores {
        match history.deploys()[..at].iter().position(|earlier| earlier.id == restored) {
            Some(earlier) => at = earlier,
            None => break,
        }
    }
    at
}

/// The files of a tree whose content must be sent to a destination with these entries (in tree
/// order) and retained contents.
pub fn missing(tree: &Tree, existing: &[RemoteEntry], retained: &[Digest]) -> Vec<HistoryFile> {
    let stock = AvailableContents::new(existing, retained);
    let is_missing = |file: &&HistoryFile| stock.source(file) == ContentLocation::Missing;
    tree.files().iter().filter(is_missing).cloned().collect()
}

/// All content that a host has.
pub(super) struct AvailableContents<'a> {
    existing: &'a [RemoteEntry],
    by_content: HashMap<(u64, ShortDigest), &'a RelPath>,
    retained_contents: HashSet<Digest>,
}

impl<'a> AvailableContents<'a> {
    pub(super) fn new(existing: &'a [RemoteEntry], retained: &[Digest]) -> AvailableContents<'a> {
        let known = existing.iter().filter_map(|remote| {
            let key = (remote.entry.file_size()?, remote.digest?);
            Some((key, &remote.entry.path))
        });
        let retained_contents = retained.iter().copied().collect();
        AvailableContents { existing, by_content: known.collect(), retained_contents }
    }

    pub(super) fn source(&self, file: &HistoryFile) -> ContentLocation {
        let in_place = destination_state::find(self.existing, &file.path);
        if in_place.is_some_and(|remote| destination_state::is_file(remote, file)) {
            return ContentLocation::InPlace;
        }
        let Content::File { digest, .. } = &file.content else { return ContentLocation::Link };
        let key = destination_state::key(&file.content);
        match key.and_then(|key| self.by_content.get(&key)) {
            Some(&path) => ContentLocation::At(path.clone()),
            None if self.retained_contents.contains(digest) => ContentLocation::Retained,
            None => ContentLocation::Missing,
        }
    }
}

#[cfg(test)]
mod tests;
