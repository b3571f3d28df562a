//! Decides after the survey of a target which files are deleted and when, which contents are
//! retained, and what is appended to the history.

use std::time::{SystemTime, UNIX_EPOCH};

use assetsync_core::digest::Digest;
use assetsync_core::entry::Kind;
use assetsync_core::path::RelPath;
use assetsync_sync::{
    Decide, Decision, DeleteAt, Deletes, EntryPoints, HistoryEdit, SourceEntry, Survey,
};

use crate::history::{
    Clocks, Content, Decoded, Delete, Deploy, DeployId, FileAttributes, History, HistoryError,
    HistoryFile, Origin, Retention, RetentionPolicy, Tree, UnmanagedFiles,
};
use crate::{config, history};

/// Implements retention for a rollout.
#[derive(Debug, Clone)]
pub(super) struct DeployRetention {
    /// Which files names others.
    pub entry_points: EntryPoints,
    pub policy: RetentionPolicy,
    pub rollout_kind: RolloutKind,
}

/// An unreadable history.
type DecideError = Box<dyn std::error::Error + Send + Sync>;

/// The kind of a rollout.
#[derive(Debug, Clone)]
pub(super) enum RolloutKind {
    /// Publishes the source as a new deploy.
    Deploy {
        id: DeployId,
        origin: Origin,
        /// The deploy that is restored.
        restores: Option<DeployId>,
    },
    /// Deletes old files; the live deploy stays.
    Prune,
}

impl RolloutKind {
    /// Who pushes, for others that find a destination locked.
    pub fn who(&self) -> Option<String> {
        match self {
            RolloutKind::Deploy { id, origin: Origin { user, host, .. }, .. } => {
                Some(format!("deploy {id} by {user}@{host}"))
            }
            RolloutKind::Prune => None,
        }
    }
}

impl DeployRetention {
    /// Decides for a push.
    pub fn decide(self) -> Box<Decide<'static>> {
        Box::new(move |survey, wanted| self.decision(survey, wanted))
    }

    fn decision(&self, survey: &Survey, wanted: &[SourceEntry]) -> Result<Decision, DecideError> {
        let known = known(survey)?;
        match &self.rollout_kind {
            RolloutKind::Deploy { id, origin, restores } => {
                let wanted = tree(wanted, &self.entry_points)?;
                let (published, origin) = (survey.statistics.clock_secs, origin.clone());
                let deploy = Deploy { id: *id, published, origin, restores: *restores };
                self.deploy(survey, &known, deploy, &wanted)
            }
            RolloutKind::Prune => Ok(self.prune(survey, &known.history)),
        }
    }
}

impl DeployRetention {
    fn deploy(
        &self,
        survey: &Survey,
        known: &Decoded,
        deploy: Deploy,
        wanted: &Tree,
    ) -> Result<Decision, DecideError> {
        let (history, existing) = (&known.history, &survey.state.entries);
        let retention = self.retention(survey, history, wanted);
        let to_retain =
            history::contents_to_retain(history, wanted, existing, &self.policy, &retention);
        let to_retain = to_retain.into_iter().map(|file| (file.path, file.digest)).collect();
        let paths = existing.iter().map(|remote| &remote.entry.path);
        let step = history.step(deploy, wanted, retention.first_kept, paths);
        let edit = HistoryEdit { keep: known.whole_bytes as u64, append: known.append(&step) };
        let history = history.clone().apply(step)?;
        Ok(Decision {
            deletes: deletes(&retention),
            to_retain,
            retained_to_drop: outdated(&history, survey),
            history: Some(edit),
        })
    }

    /// Without any deploy nothing is pruned, because all files are unmanaged.
    fn prune(&self, survey: &Survey, history: &History) -> Decision {
        let Some(live) = history.live() else { return Decision::default() };
        let retention = self.retention(survey, history, &history.tree(live));
        let (retained_to_drop, deletes) = (outdated(history, survey), deletes(&retention));
        Decision { deletes, retained_to_drop, ..Decision::default() }
    }

    fn retention(&self, survey: &Survey, history: &History, wanted: &Tree) -> Retention {
        history::retention(history, wanted, &survey.state.entries, &self.policy, clocks(survey))
    }
}

/// The history in a survey. Damage at its end loses deploys, whose files then stay. A history that
/// can't be read at all must not be overwritten.
pub(super) fn known(survey: &Survey) -> Result<Decoded, String> {
    history::decode(&survey.history).map_err(|error| {
        let help = match error {
            HistoryError::Format(_) => "deploy with a newer assetsync",
            _ => "move it away to begin a new history",
        };
        format!("{}: {error}; {help}", survey.history_path)
    })
}

/// The clocks.
pub(super) fn clocks(survey: &Survey) -> Clocks {
    Clocks { host: survey.statistics.clock_secs, sender: unix_time() }
}

/// Seconds since 1970, UTC, by this machine's clock.
pub(super) fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The configured retention of an asset set.
pub(super) fn policy(delete: config::Delete) -> RetentionPolicy {
    let unmanaged = UnmanagedFiles::Leave;
    match delete {
        // The live deploy is one of those that the history counts.
        config::Delete::Retain { keep, max_age } => RetentionPolicy {
            keep: keep.saturating_add(1),
            max_age: max_age.as_secs(),
            delete: Delete::Retain,
            unmanaged,
        },
        config::Delete::Mirror => {
            RetentionPolicy { keep: 1, max_age: 0, delete: Delete::Mirror, unmanaged }
        }
    }
}

/// The files of a source, as the history knows them.
pub(super) fn tree(
    entries: &[SourceEntry],
    entry_points: &EntryPoints,
) -> Result<Tree, HistoryError> {
    let files = entries.iter().filter_map(|local| {
        let content = match &local.entry.kind {
            Kind::File { size } => Content::File { size: *size, digest: local.digest? },
            Kind::Symlink { target } => Content::Symlink { target: target.clone() },
            Kind::Dir | Kind::Special => return None,
        };
        let entry_point = entry_points.contain(local.entry.path.as_bytes());
        let attributes =
            FileAttributes { mode: local.entry.mode, mtime: local.entry.mtime, entry_point };
        Some(HistoryFile { path: local.entry.path.clone(), content, attributes })
    });
    Tree::new(files.collect())
}

fn deletes(retention: &Retention) -> Deletes {
    let removed = retention.removed().map(|(path, why)| {
        let when = if why.at_publishing() { DeleteAt::Publishing } else { DeleteAt::Pruning };
        (path.clone(), when)
    });
    Deletes::Listed(removed.collect::<Vec<(RelPath, DeleteAt)>>())
}

fn outdated(history: &History, survey: &Survey) -> Vec<Digest> {
    let kept: Vec<Digest> =
        survey.retained_contents.iter().map(|retained_contents| retained_contents.digest).collect();
    history::outdated(history, &kept)
}
