//! Back to an earlier deploy, on all hosts or none.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;
use assetsync_sync::compare::content_match::SourceEntry;
use assetsync_sync::{Source, Survey};
use tempfile::TempDir;

use super::course::Course;
use super::event::Phase;
use super::fleet::Load;
use super::keeper::known;
use super::outcome::{Outcome, TargetError};
use super::place::Place;
use super::under_way::Way;
use super::{Rollout, RolloutError, load};
use crate::history;
use crate::history::{Content, DeployId, History, HistoryFile, Target, Tree};

/// The permission bits of a directory that is made anew.
const NEW_DIR: u32 = 0o755;

/// A place, what stands there, and the deploys it knows.
struct Known {
    place: Place,
    survey: Survey,
    history: History,
}

impl Rollout<'_> {
    /// Brings an earlier deploy's exact tree back; what hosts have of it is not sent.
    pub fn rollback(&self, target: Target<'_>) -> Result<Outcome, RolloutError> {
        // What must be sent lies here until all is done.
        let contents = tempfile::tempdir().map_err(RolloutError::Temporary)?;
        let way = Way { runs_commands: true, prunes: false, cleans_up: false };
        self.roll_out(way, |course| course.roll_back(target, &contents))
    }
}

impl Course<'_> {
    fn roll_back(
        &mut self,
        target: Target<'_>,
        contents: &TempDir,
    ) -> Result<Vec<Load>, RolloutError> {
        self.begin(Phase::Check);
        let surveyed = self.surveyed()?;
        let mut places = Vec::new();
        for (place, survey) in surveyed {
            match known(&survey.history) {
                Ok(known) => places.push(Known { place, survey, history: known.history }),
                Err(reason) => self.leave_out(&place, TargetError::History(reason)),
            }
        }
        self.go_on_without_failed()?;
        let id = common_deploy(&places, target)?;
        self.loads(&places, id, contents.path())
    }

    fn loads(
        &self,
        places: &[Known],
        id: DeployId,
        contents: &Path,
    ) -> Result<Vec<Load>, RolloutError> {
        let loads = self.sets().into_iter().map(|load::Set { at, assets }| {
            let there: Vec<&Known> = places.iter().filter(|known| known.place.set == at).collect();
            let standing = there.first().map_or(&[][..], |first| &first.survey.state.entries);
            let tree = tree_of(&there, id)?;
            let contents = contents.join(at.to_string());
            fs::create_dir(&contents).map_err(RolloutError::Temporary)?;
            for known in &there {
                self.fetch_missing(known, id, &contents)?;
            }
            Ok(Load {
                set: at,
                source: Source::of(entries(&tree, standing), &contents)?,
                options: load::options(assets, self.rollout.engine.recipes)?,
                decide: Box::new(load::keeper(assets, self.purpose(Some(id)))?),
            })
        });
        loads.collect()
    }

    /// Puts what a place lacks of a deploy where it can be sent from; the store may have it.
    fn fetch_missing(
        &self,
        known: &Known,
        id: DeployId,
        contents: &Path,
    ) -> Result<(), RolloutError> {
        let retained_contents: Vec<Digest> = known
            .survey
            .retained_contents
            .iter()
            .map(|retained_contents| retained_contents.digest)
            .collect();
        let (name, standing) = (id.to_string(), &known.survey.state.entries);
        let plan =
            history::rollback(&known.history, Target::Id(&name), standing, &retained_contents);
        let plan = plan.map_err(|reason| known.refuses(reason))?;
        let lost: Vec<&HistoryFile> = plan
            .missing()
            .filter_map(|file| match self.fetch(file, contents) {
                Ok(true) => None,
                Ok(false) => Some(Ok(file)),
                Err(error) => Some(Err(RolloutError::Temporary(error))),
            })
            .collect::<Result<_, _>>()?;
        match lost.first() {
            None => Ok(()),
            Some(file) => Err(RolloutError::Missing {
                deploy: name,
                place: known.place.label.clone(),
                count: lost.len(),
                example: file.path.to_string(),
            }),
        }
    }

    /// Whether the store has a file's content; then it is at its path in `contents`.
    fn fetch(&self, file: &HistoryFile, contents: &Path) -> std::io::Result<bool> {
        let (Some(store), Content::File { size, digest }) =
            (&self.rollout.engine.store, &file.content)
        else {
            return Ok(false);
        };
        let Some(bytes) = store.get(digest.short(), *size) else { return Ok(false) };
        if Digest::of(&bytes) != *digest {
            return Ok(false);
        }
        let path = contents.join(std::ffi::OsStr::from_bytes(file.path.as_bytes()));
        fs::create_dir_all(path.parent().unwrap_or(contents))?;
        fs::write(&path, bytes)?;
        Ok(true)
    }
}

impl Known {
    fn refuses(&self, reason: history::RollbackError) -> RolloutError {
        RolloutError::Rollback { place: self.place.label.clone(), reason }
    }

    fn find(&self, target: Target<'_>) -> Result<DeployId, RolloutError> {
        let found = history::find(&self.history, target).map_err(|reason| self.refuses(reason))?;
        Ok(self.history.deploys()[found].id)
    }
}

/// The deploy that `target` means at all places. A set of assets that did not change since may have to go back further
/// by itself; the newest deploy that any set means is the one for all.
fn common_deploy(places: &[Known], target: Target<'_>) -> Result<DeployId, RolloutError> {
    let mut by_set: BTreeMap<usize, Vec<(&Known, DeployId)>> = BTreeMap::new();
    for known in places {
        by_set.entry(known.place.set).or_default().push((known, known.find(target)?));
    }
    for found in by_set.values() {
        if found.iter().any(|(_, id)| *id != found[0].1) {
            let told =
                found.iter().map(|(known, id)| format!("{} would get {id}", known.place.label));
            return Err(RolloutError::DifferentDeploys(told.collect::<Vec<_>>().join(", ")));
        }
    }
    let newest = by_set.values().filter_map(|found| found.first()).map(|(_, id)| *id).max();
    newest.ok_or_else(|| RolloutError::NoTargets(String::new()))
}

/// The tree that a deploy had, which must be the same at all places.
fn tree_of(places: &[&Known], id: DeployId) -> Result<Tree, RolloutError> {
    let name = id.to_string();
    let mut trees = places.iter().map(|known| {
        let found = history::find(&known.history, Target::Id(&name));
        let found = found.map_err(|reason| known.refuses(reason))?;
        Ok::<_, RolloutError>((known, known.history.tree(found)))
    });
    let Some(first) = trees.next() else { return Ok(Tree::default()) };
    let (_, tree) = first?;
    for other in trees {
        let (known, other) = other?;
        if other != tree {
            let told = format!("deploy {name} is another one on {}", known.place.label);
            return Err(RolloutError::DifferentDeploys(told));
        }
    }
    Ok(tree)
}

/// A tree as a source lists it: files as they were, and the directories they need, as they are.
fn entries(tree: &Tree, standing: &[RemoteEntry]) -> Vec<SourceEntry> {
    let mut entries: BTreeMap<RelPath, SourceEntry> = BTreeMap::new();
    for file in tree.files() {
        let mut above = file.path.parent();
        while let Some(directory) = above {
            above = directory.parent();
            entries.entry(directory).or_insert_with_key(|path| directory_entry(path, standing));
        }
        entries.insert(file.path.clone(), file_entry(file));
    }
    entries.into_values().collect()
}

fn file_entry(file: &HistoryFile) -> SourceEntry {
    let (kind, digest) = match &file.content {
        Content::File { size, digest } => (Kind::File { size: *size }, Some(*digest)),
        Content::Symlink { target } => (Kind::Symlink { target: target.clone() }, None),
    };
    let (path, mode, mtime) = (file.path.clone(), file.stamp.mode, file.stamp.mtime);
    SourceEntry { entry: Entry { path, kind, mode, mtime }, digest }
}

fn directory_entry(path: &RelPath, standing: &[RemoteEntry]) -> SourceEntry {
    let found = standing.binary_search_by(|remote| remote.entry.path.cmp(path)).ok();
    let there = found.map(|at| &standing[at].entry).filter(|entry| entry.kind == Kind::Dir);
    let mode = there.map_or(NEW_DIR, |entry| entry.mode);
    let entry = Entry { path: path.clone(), kind: Kind::Dir, mode, mtime: Mtime::default() };
    SourceEntry { entry, digest: None }
}
