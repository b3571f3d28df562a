//! Restores an earlier deploy, on all hosts or on none.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::state::RemoteEntry;
use assetsync_sync::{Source, SourceEntry, Survey};
use tempfile::TempDir;

use super::error::{RolloutError, TargetError};
use super::event::{Event, Phase};
use super::options::Rollout;
use super::outcome::Outcome;
use super::payload;
use super::payload::{Payload, PayloadKind};
use super::pipeline::{BucketSurvey, Pipeline, bucket_failed};
use super::retention::known;
use super::started::RolloutSteps;
use super::target_status::KeptDeploy;
use crate::config::OnFailure;
use crate::history;
use crate::history::{Content, Deploy, DeployId, History, HistoryFile, RollbackTo, Tree};

/// The permission bits of a new directory.
const NEW_DIR: u32 = 0o755;

/// A surveyed target, on a host or in a bucket, and its history.
struct SurveyedTarget {
    label: String,
    set: usize,
    /// Its history has compressed files under the names of plain ones.
    is_in_place: bool,
    survey: Survey,
    history: History,
}

impl Rollout<'_> {
    /// Restores the exact files of an earlier deploy; only files that hosts lack are sent.
    pub fn rollback(&self, to: RollbackTo<'_>) -> Result<Outcome, RolloutError> {
        // Contents that must be sent, until the end.
        let contents = tempfile::tempdir().map_err(RolloutError::Temporary)?;
        let steps =
            RolloutSteps { runs_commands: true, verifies: true, prunes: false, cleans_up: false };
        self.roll_out(steps, |pipeline| pipeline.roll_back(to, &contents))
    }
}

impl Rollout<'_> {
    /// Brings back what was live before a deploy that visitors do not get, if that is configured.
    pub(super) fn roll_back_unverified(&self, mut outcome: Outcome) -> Outcome {
        let is_unverified = matches!(outcome.error, Some(RolloutError::NotVerified { .. }));
        if !is_unverified || self.deployment.on_unverified != OnFailure::RollBack {
            return outcome;
        }
        let restored = self.deploy_before(outcome.id).and_then(|before| {
            let before = before.to_string();
            self.warn(&format!(
                "Visitors do not get deploy {}; rolling back to {before}",
                outcome.id
            ));
            self.rollback(RollbackTo::Id(&before))
        });
        match restored {
            Ok(restored) => outcome.rolled_back = Some(Box::new(restored)),
            Err(error) => self.warn(&format!("Nothing was rolled back: {error}")),
        }
        outcome
    }

    fn warn(&self, text: &str) {
        let text = &self.secrets().redact(text);
        self.monitor.event(&Event::Notice { target: None, text });
    }

    /// The deploy that was live before `id`, on the targets where that is live.
    fn deploy_before(&self, id: DeployId) -> Result<DeployId, RolloutError> {
        let targets = self.targets()?;
        let mut before = None;
        for (target, survey) in self.survey(&targets) {
            let Ok(survey) = survey else { continue };
            let Ok(known) = known(&survey) else { continue };
            let deploys = known.history.deploys();
            let Some(at) = deploys.iter().position(|deploy| deploy.id == id) else { continue };
            let earlier = at.checked_sub(1).map(|at| deploys[at].id);
            let earlier = earlier.ok_or_else(|| RolloutError::Rollback {
                target: target.label.clone(),
                reason: "this is its first deploy".into(),
            })?;
            before = before.max(Some(earlier));
        }
        before.ok_or_else(|| RolloutError::NoTargets(self.deployment.stage.clone()))
    }
}

impl Pipeline<'_> {
    fn roll_back(
        &mut self,
        to: RollbackTo<'_>,
        contents: &TempDir,
    ) -> Result<Vec<Payload>, RolloutError> {
        self.begin(Phase::Check);
        let surveyed = self.surveyed()?;
        let mut targets = Vec::new();
        for (target, survey) in surveyed {
            match readable(&survey, to) {
                Ok(history) => {
                    let (label, set, is_in_place) = (target.label, target.set, false);
                    targets.push(SurveyedTarget { label, set, is_in_place, survey, history });
                }
                Err(reason) => self.exclude(&target, TargetError::History(reason)),
            }
        }
        self.go_on_without_failed()?;
        let of_hosts: Vec<usize> = targets.iter().map(|known| known.set).collect();
        let (followers, deciding) = deciding(self.surveyed_buckets()?, of_hosts)?;
        for BucketSurvey { label, set, in_place, survey } in deciding {
            let history = readable(&survey, to)
                .map_err(|reason| bucket_failed(label.clone(), TargetError::History(reason)))?;
            let is_in_place = in_place.is_some();
            targets.push(SurveyedTarget { label, set, is_in_place, survey, history });
        }
        let unfinished = unfinished(&targets).filter(|_| matches!(to, RollbackTo::Back(_)));
        let id = match unfinished {
            None => common_deploy(&targets, to)?,
            Some(id) => {
                self.notice(&format!("The rollback to {id} was interrupted; completing it"));
                id
            }
        };
        self.restored = targets.first().and_then(|known| known.kept(id));
        self.payloads(&targets, &followers, id, contents.path())
    }

    fn payloads(
        &self,
        targets: &[SurveyedTarget],
        followers: &[BucketSurvey],
        id: DeployId,
        contents: &Path,
    ) -> Result<Vec<Payload>, RolloutError> {
        let payloads = self.sets().into_iter().map(|payload::Set { at, assets }| {
            let there: Vec<&SurveyedTarget> =
                targets.iter().filter(|known| known.set == at).collect();
            let existing = there.first().map_or(&[][..], |first| &first.survey.state.entries);
            let tree = tree_of(&there, id)?;
            let contents = contents.join(at.to_string());
            fs::create_dir(&contents).map_err(RolloutError::Temporary)?;
            for SurveyedTarget { label, survey, is_in_place, .. } in &there {
                let missing = history::missing(&tree, &survey.state.entries, &retained(survey));
                // Of a content that the bucket has lost nobody knows how it was compressed.
                let contents = (!is_in_place).then_some(contents.as_path());
                self.fetch_missing(label, id, (&missing, contents))?;
            }
            for BucketSurvey { label, in_place, survey, .. } in
                followers.iter().filter(|known| known.set == at)
            {
                let mut missing = history::missing(&tree, &survey.state.entries, &retained(survey));
                missing.retain(|file| !is_replaced(&tree, file, *in_place));
                self.fetch_missing(label, id, (&missing, Some(&contents)))?;
            }
            let kind = self.rollout_kind(Some(id));
            let mut options = payload::options(assets, self.rollout.engine.recipes)?;
            options.who = kind.who().unwrap_or(options.who);
            Ok(Payload {
                set: at,
                source: Source::of(entries(&tree, existing), &contents)?,
                options,
                decide: payload::deploy_retention(assets, kind)?.decide(),
                kind: PayloadKind::Restored,
            })
        });
        payloads.collect()
    }

    /// Copies the contents that a target lacks from the store to `contents`, if there is such a
    /// directory.
    fn fetch_missing(
        &self,
        target: &str,
        id: DeployId,
        (missing, contents): (&[HistoryFile], Option<&Path>),
    ) -> Result<(), RolloutError> {
        let lost: Vec<&HistoryFile> = missing
            .iter()
            .filter_map(|file| match contents.map_or(Ok(false), |path| self.fetch(file, path)) {
                Ok(true) => None,
                Ok(false) => Some(Ok(file)),
                Err(error) => Some(Err(RolloutError::Temporary(error))),
            })
            .collect::<Result<_, _>>()?;
        match lost.first() {
            None => Ok(()),
            Some(file) => Err(RolloutError::Missing {
                deploy: id.to_string(),
                target: target.to_owned(),
                count: lost.len(),
                example: file.path.to_string(),
            }),
        }
    }

    /// Writes a file's content from the store to `contents`; false if the store lacks it.
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

impl SurveyedTarget {
    fn refuses(&self, reason: history::RollbackError) -> RolloutError {
        RolloutError::Rollback { target: self.label.clone(), reason: reason.to_string() }
    }

    fn live(&self) -> Option<&Deploy> {
        self.history.deploys().last()
    }

    /// A deploy that it keeps.
    fn kept(&self, id: DeployId) -> Option<KeptDeploy> {
        let name = id.to_string();
        let found = history::find(&self.history, RollbackTo::Id(&name)).ok()?;
        let deploy = self.history.deploys()[found].clone();
        let files = self.history.tree(found).files().len();
        Some(KeptDeploy { deploy, files, missing: 0 })
    }

    fn find(&self, to: RollbackTo<'_>) -> Result<DeployId, RolloutError> {
        let found = history::find(&self.history, to).map_err(|reason| self.refuses(reason))?;
        Ok(self.history.deploys()[found].id)
    }
}

/// Buckets that follow others, and those whose histories decide. What hosts had decides, as buckets
/// came to the stage later or know less; without hosts, buckets that store all files.
fn deciding(
    buckets: Vec<BucketSurvey>,
    of_hosts: Vec<usize>,
) -> Result<(Vec<BucketSurvey>, Vec<BucketSurvey>), RolloutError> {
    let all_files = buckets.iter().filter(|known| known.in_place.is_none());
    let of_all_files: Vec<usize> = all_files.map(|known| known.set).collect();
    let follows = |known: &BucketSurvey| {
        of_hosts.contains(&known.set)
            || (known.in_place.is_some() && of_all_files.contains(&known.set))
    };
    let (followers, deciding): (Vec<_>, Vec<BucketSurvey>) = buckets.into_iter().partition(follows);
    for (at, one) in deciding.iter().enumerate() {
        let unlike = |other: &&BucketSurvey| other.set == one.set && other.in_place != one.in_place;
        if let Some(other) = deciding[at..].iter().find(unlike) {
            return Err(RolloutError::Encodings([one.label.clone(), other.label.clone()]));
        }
    }
    Ok((followers, deciding))
}

/// Whether a bucket stores a compressed file in place of this one.
fn is_replaced(tree: &Tree, file: &HistoryFile, in_place: Option<&str>) -> bool {
    in_place.is_some_and(|suffix| {
        let compressed = RelPath::new(&[file.path.as_bytes(), suffix.as_bytes()].concat());
        compressed.is_ok_and(|path| tree.get(&path).is_some())
    })
}

/// The contents that a destination has kept.
fn retained(survey: &Survey) -> Vec<Digest> {
    survey.retained_contents.iter().map(|retained| retained.digest).collect()
}

/// The history of a target. Of a damaged one the live deploy is unknown, so that nothing can be
/// counted from there.
fn readable(survey: &Survey, to: RollbackTo<'_>) -> Result<History, String> {
    let known = known(survey)?;
    match (known.damage, to) {
        (Some(damage), RollbackTo::Back(_)) => Err(format!(
            "{}: {damage}, so it is unknown which deploy is live; name the deploy to bring back by \
             its id",
            survey.history_path
        )),
        _ => Ok(known.history),
    }
}

/// The live deploy that came last. Ids of one second have no order, but histories have: of two
/// deploys the later one is live where the other one was before.
fn newest(targets: &[SurveyedTarget]) -> Option<&Deploy> {
    let live = || targets.iter().filter_map(SurveyedTarget::live);
    let was_live = |one: &Deploy| {
        let earlier = |known: &SurveyedTarget| {
            known.history.deploys().iter().rev().skip(1).any(|earlier| earlier.id == one.id)
        };
        targets.iter().any(earlier)
    };
    let last = live().filter(|one| !was_live(one)).max_by_key(|one| one.id);
    last.or_else(|| live().max_by_key(|one| one.id))
}

/// The deploy that an interrupted rollback restores: the newest deploy of all targets, if it is a
/// rollback and not every target has heard that it is published there.
fn unfinished(targets: &[SurveyedTarget]) -> Option<DeployId> {
    let newest = newest(targets)?;
    let is_unfinished = |known: &SurveyedTarget| {
        let is_live = known.live().is_some_and(|live| live.id == newest.id);
        !is_live || known.survey.statistics.unfinished
    };
    newest.restores.filter(|_| targets.iter().any(is_unfinished))
}

/// The deploy that `to` means on all targets. For an asset set that did not change since, it may be
/// an older one; the newest deploy of all asset sets is used.
fn common_deploy(targets: &[SurveyedTarget], to: RollbackTo<'_>) -> Result<DeployId, RolloutError> {
    let mut by_set: BTreeMap<usize, Vec<(&SurveyedTarget, DeployId)>> = BTreeMap::new();
    for known in targets {
        by_set.entry(known.set).or_default().push((known, known.find(to)?));
    }
    for found in by_set.values() {
        if found.iter().any(|(_, id)| *id != found[0].1) {
            let told = found.iter().map(|(known, id)| format!("{} would get {id}", known.label));
            return Err(RolloutError::DifferentDeploys(told.collect::<Vec<_>>().join(", ")));
        }
    }
    let newest = by_set.values().filter_map(|found| found.first()).map(|(_, id)| *id).max();
    newest.ok_or_else(|| RolloutError::NoTargets(String::new()))
}

/// The tree of a deploy, which must be the same on all targets.
fn tree_of(targets: &[&SurveyedTarget], id: DeployId) -> Result<Tree, RolloutError> {
    let name = id.to_string();
    let mut trees = targets.iter().map(|known| {
        let found = history::find(&known.history, RollbackTo::Id(&name));
        let found = found.map_err(|reason| known.refuses(reason))?;
        Ok::<_, RolloutError>((known, known.history.tree(found)))
    });
    let Some(first) = trees.next() else { return Ok(Tree::default()) };
    let (_, tree) = first?;
    for other in trees {
        let (known, other) = other?;
        if other != tree {
            let told = format!("deploy {name} is another one on {}", known.label);
            return Err(RolloutError::DifferentDeploys(told));
        }
    }
    Ok(tree)
}

/// A tree as entries of a source: files as deployed, and directories as they exist now.
fn entries(tree: &Tree, existing: &[RemoteEntry]) -> Vec<SourceEntry> {
    let mut entries: BTreeMap<RelPath, SourceEntry> = BTreeMap::new();
    for file in tree.files() {
        let mut above = file.path.parent();
        while let Some(directory) = above {
            above = directory.parent();
            entries.entry(directory).or_insert_with_key(|path| directory_entry(path, existing));
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
    let (path, mode, mtime) = (file.path.clone(), file.attributes.mode, file.attributes.mtime);
    SourceEntry { entry: Entry { path, kind, mode, mtime }, digest }
}

fn directory_entry(path: &RelPath, existing: &[RemoteEntry]) -> SourceEntry {
    let found = existing.binary_search_by(|remote| remote.entry.path.cmp(path)).ok();
    let there = found.map(|at| &existing[at].entry).filter(|entry| entry.kind == Kind::Dir);
    let mode = there.map_or(NEW_DIR, |entry| entry.mode);
    let entry = Entry { path: path.clone(), kind: Kind::Dir, mode, mtime: Mtime::default() };
    SourceEntry { entry, digest: None }
}
