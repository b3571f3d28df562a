//! Payloads: scanned sources, and the options and retention of their pushes.

use std::path::{Path, PathBuf};

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::recipe::Recipes;
use assetsync_sync as sender;
use assetsync_sync::{Chmod, Decide, EntryPoints, Filter, FingerprintRules, Options, Rule, Source};

use super::error::RolloutError;
use super::options::Rollout;
use super::retention::{DeployRetention, RolloutKind, policy, tree};
use crate::config::{AssetSet, Delete, Publish};
use crate::history::competing_manifests;

/// The push of one asset set to all its targets.
pub(super) struct Payload {
    /// The set's position.
    pub set: usize,
    pub source: Source,
    pub options: Options,
    pub decide: Box<Decide<'static>>,
    pub kind: PayloadKind,
}

/// Where a payload is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadKind {
    /// A build.
    Built,
    /// An earlier deploy.
    Restored,
    /// Nothing: old files are pruned.
    Empty,
}

/// An asset set.
pub(super) struct Set<'a> {
    /// Its position in the deployment.
    pub at: usize,
    pub assets: &'a AssetSet,
}

/// The push options of an asset set.
pub(super) fn options(set: &AssetSet, recipes: Option<Recipes>) -> Result<Options, RolloutError> {
    let policy = sender::Policy {
        filter: filter(set)?,
        chmod: chmod(set)?,
        entry_points: entry_points(set)?,
        names: names(set)?,
        ..sender::Policy::default()
    };
    let whole_directory = set.publish == Publish::Directory;
    Ok(Options { policy, whole_directory, recipes, ..Options::default() })
}

/// The retention of an asset set.
pub(super) fn deploy_retention(
    set: &AssetSet,
    rollout_kind: RolloutKind,
) -> Result<DeployRetention, RolloutError> {
    Ok(DeployRetention {
        entry_points: entry_points(set)?,
        policy: policy(set.delete),
        rollout_kind,
    })
}

/// Whether a build has made anything: names that begin with a dot are there before it.
fn has_files(source: &Source) -> bool {
    let is_made =
        |entry: &Entry| entry.kind != Kind::Dir && !entry.path.file_name().starts_with(b".");
    source.entries.iter().any(is_made)
}

/// The payload of the build's output.
pub(super) fn built(
    rollout: &Rollout<'_>,
    Set { at: set, assets }: Set<'_>,
    rollout_kind: RolloutKind,
) -> Result<Payload, RolloutError> {
    let mut options = options(assets, rollout.engine.recipes)?;
    options.who = rollout_kind.who().unwrap_or(options.who);
    options.max_delete = rollout.selection.max_delete;
    // Under retention the live files stay for now, and what is deleted is not live.
    options.policy.delete = assets.delete == Delete::Mirror;
    let deploy_retention = deploy_retention(assets, rollout_kind)?;
    let path = rollout.project.join(&assets.source);
    let source = Source::scan(&path, &options.policy)?;
    if !has_files(&source) {
        return Err(RolloutError::NoFiles(path));
    }
    refuse_competing_manifests(&path, &source, &deploy_retention.entry_points)?;
    let decide = deploy_retention.decide();
    Ok(Payload { set, source, options, decide, kind: PayloadKind::Built })
}

fn refuse_competing_manifests(
    path: &Path,
    source: &Source,
    entry_points: &EntryPoints,
) -> Result<(), RolloutError> {
    // No two entries of a directory have one path.
    let Ok(tree) = tree(source.hashed()?, entry_points) else { return Ok(()) };
    let Some(competing) = competing_manifests(&tree).into_iter().next() else { return Ok(()) };
    Err(RolloutError::Manifests {
        folder: PathBuf::from(path),
        count: competing.len(),
        manifests: competing.iter().map(ToString::to_string).collect(),
    })
}

fn filter(set: &AssetSet) -> Result<Filter, RolloutError> {
    let rules = set.exclude.iter().map(|pattern| (Rule::Exclude, pattern.as_bytes()));
    Filter::parse(rules).map_err(|error| refused("exclude", &error))
}

fn chmod(set: &AssetSet) -> Result<Chmod, RolloutError> {
    match set.chmod.as_slice() {
        [] => Ok(Chmod::default()),
        given => given.join(",").parse().map_err(|error| refused("chmod", &error)),
    }
}

pub(super) fn entry_points(set: &AssetSet) -> Result<EntryPoints, RolloutError> {
    let patterns: Vec<&[u8]> = set.entry_points.iter().map(String::as_bytes).collect();
    EntryPoints::try_from(patterns).map_err(|error| refused("entry_points", &error))
}

fn names(set: &AssetSet) -> Result<FingerprintRules, RolloutError> {
    let rules = FingerprintRules::try_from(set.fingerprints.as_slice());
    rules.map_err(|error| refused("fingerprints", &error))
}

fn refused(key: &'static str, reason: &dyn std::fmt::Display) -> RolloutError {
    RolloutError::Setting { key, reason: reason.to_string() }
}
