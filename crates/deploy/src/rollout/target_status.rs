//! The live deploy of every target, the kept ones, and drift.

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_sync::Survey;

use super::bucket_targets;
use super::error::{RolloutError, TargetError};
use super::options::Rollout;
use super::retention::{clocks, known, policy};
use super::target::SetSurvey;
use crate::config::AssetSet;
use crate::history;
use crate::history::{Deploy, Drift};

/// The status of one target.
#[derive(Debug)]
pub struct TargetStatus {
    /// The target's label.
    pub label: String,
    /// The asset set's position in the deployment.
    pub set: usize,
    /// Its state, or why it can't be read.
    pub state: Result<TargetState, TargetError>,
}

/// The state of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The deploy that is live, with the time it was published there.
    pub live: Option<Deploy>,
    /// The kept deploys, oldest first, with the live one.
    pub kept: Vec<KeptDeploy>,
    /// Differences from the live deploy, in tree order.
    pub drift: Vec<(RelPath, Drift)>,
    /// Retained files of earlier deploys, and their bytes.
    pub retained: (u64, u64),
    /// Files that no deploy put there.
    pub unmanaged_files: u64,
    /// Files that the next pruning deletes.
    pub prunable_files: u64,
    /// Sprockets manifests in addition to the live one, in tree order; no deploy put them there.
    pub stale_manifests: Vec<RelPath>,
    /// Bytes free for the user on the destination's file system.
    pub free_bytes: Option<u64>,
    /// Who has locked the target for a push that is running, if anybody has.
    pub running: Option<String>,
    /// The host's clock: seconds since 1970, UTC.
    pub clock: i64,
    /// Damage of the history; later deploys are unknown.
    pub damage: Option<String>,
}

/// A deploy that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDeploy {
    /// The deploy.
    pub deploy: Deploy,
    /// How many files it had.
    pub files: usize,
    /// The number of files that a rollback would have to send.
    pub missing: usize,
}

impl Rollout<'_> {
    /// Surveys every target, and changes nothing.
    pub fn status(&self) -> Result<Vec<TargetStatus>, RolloutError> {
        let targets = self.targets()?;
        let statuses = self.survey(&targets).into_iter().map(|(target, survey)| {
            let set = &self.deployment.assets[target.set];
            let state = survey.and_then(|survey| state(set, &survey));
            TargetStatus { label: target.label.clone(), set: target.set, state }
        });
        let buckets = bucket_targets::survey(self).into_iter().map(
            |SetSurvey { label, set, survey, .. }| {
                let state = survey.and_then(|survey| state(&self.deployment.assets[set], &survey));
                TargetStatus { label, set, state }
            },
        );
        Ok(statuses.chain(buckets).collect())
    }
}

fn state(set: &AssetSet, survey: &Survey) -> Result<TargetState, TargetError> {
    let known = known(survey).map_err(TargetError::History)?;
    let retained_contents: Vec<Digest> =
        survey.retained_contents.iter().map(|retained_contents| retained_contents.digest).collect();
    let entries = &survey.state.entries;
    let status = history::status(
        &known.history,
        entries,
        &retained_contents,
        &policy(set.delete),
        clocks(survey),
    );
    let kept = status.kept.iter().map(|kept| KeptDeploy {
        deploy: kept.deploy.clone(),
        files: kept.files,
        missing: kept.missing,
    });
    Ok(TargetState {
        live: status.live.cloned(),
        kept: kept.collect(),
        drift: status.drift,
        retained: (status.retained_files, status.retained_bytes),
        unmanaged_files: status.unmanaged_files,
        prunable_files: status.prunable_files,
        stale_manifests: status.stale_manifests,
        free_bytes: survey.statistics.free_bytes,
        running: survey.lock_holder.clone(),
        clock: survey.statistics.clock_secs,
        damage: known.damage.map(|damage| format!("{}: {damage}", survey.history_path)),
    })
}
