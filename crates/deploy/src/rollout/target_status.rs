//! What is live at every place, what is kept, and what was changed by hand.

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_sync::Survey;

use super::error::{RolloutError, TargetError};
use super::options::Rollout;
use super::retention::{clocks, known, policy};
use crate::config::AssetSet;
use crate::history;
use crate::history::{Deploy, Drift};

/// What can be said of one place.
#[derive(Debug)]
pub struct TargetStatus {
    /// The place's label.
    pub label: String,
    /// What stands there, or why that can't be found out.
    pub state: Result<TargetState, TargetError>,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The deploy that is live, with the time it was published there.
    pub live: Option<Deploy>,
    /// The deploys that are kept, oldest first, the live one among them.
    pub kept: Vec<KeptDeploy>,
    /// Where the place differs from the live deploy, in tree order.
    pub drift: Vec<(RelPath, Drift)>,
    /// Files that are not live but stay for earlier deploys' sake, and their bytes.
    pub retained: (u64, u64),
    /// Files that no deploy brought.
    pub unmanaged_files: u64,
    /// Files that the next pruning deletes.
    pub prunable_files: u64,
    /// Sprockets manifests beside the live one, in tree order: somebody else put them there.
    pub stale_manifests: Vec<RelPath>,
    /// Bytes free for the user on the destination's file system.
    pub free_bytes: Option<u64>,
    /// The host's clock: seconds since 1970, UTC.
    pub clock: i64,
    /// What is wrong with the history: the deploys behind that are unknown.
    pub damage: Option<String>,
}

/// A deploy that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDeploy {
    /// The deploy.
    pub deploy: Deploy,
    /// How many files it had.
    pub files: usize,
    /// How many of them a rollback would have to send.
    pub missing: usize,
}

impl Rollout<'_> {
    /// Looks at every place, and changes nothing.
    pub fn status(&self) -> Result<Vec<TargetStatus>, RolloutError> {
        let targets = self.targets()?;
        let statuses = self.survey(&targets).into_iter().map(|(target, survey)| {
            let set = &self.deployment.assets[target.set];
            let state = survey.and_then(|survey| state(set, &survey));
            TargetStatus { label: target.label.clone(), state }
        });
        Ok(statuses.collect())
    }
}

fn state(set: &AssetSet, survey: &Survey) -> Result<TargetState, TargetError> {
    let known = known(&survey.history).map_err(TargetError::History)?;
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
        clock: survey.statistics.clock_secs,
        damage: known.damage.map(|damage| damage.to_string()),
    })
}
