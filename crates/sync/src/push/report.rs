//! The report of a push.

use std::collections::BTreeMap;
use std::time::Duration;

use assetsync_core::plan::{ActionKind, Plan};
use assetsync_core::recipe::Recipe;
use assetsync_core::state::State;
use assetsync_ssh::bootstrap::Installed;

use crate::compare::content_match::SourceEntry;
use crate::plan::guards::Refusal;

/// Files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Number of files.
    pub files: u64,
    /// Bytes of their content (not bytes sent).
    pub bytes: u64,
}

impl Count {
    /// The files in `state` that `plan` removes, with publishing or when pruned.
    pub(crate) fn of_removed(plan: &Plan, state: &State) -> Count {
        let removed = plan
            .actions
            .iter()
            .filter(|action| matches!(action.what, ActionKind::Delete | ActionKind::Prune));
        let size = |path| {
            let at = state.entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok()?;
            state.entries[at].entry.file_size()
        };
        let sizes = removed.filter_map(|action| size(&action.path));
        sizes.fold(Count::default(), |sum, size| Count {
            files: sum.files + 1,
            bytes: sum.bytes + size,
        })
    }
}

/// The result of a push, or in a dry run its plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Regular files in the source, and their bytes.
    pub total: Count,
    /// Files for which content was sent.
    pub files_sent: u64,
    /// Paths deleted with publishing.
    pub deleted: u64,
    /// Paths deleted at pruning.
    pub pruned: u64,
    /// The files among those, and their bytes.
    pub removed: Count,
    /// Directories created or changed.
    pub directories: u64,
    /// Symbolic links created or changed.
    pub symlinks: u64,
    /// Bytes written to the channel.
    pub bytes_sent: u64,
    /// Bytes read from the channel.
    pub bytes_received: u64,
    /// How often an answer was waited for, not counting connecting and installing the agent.
    pub round_trips: u32,
    /// How often the plan and its content were encoded for this push: 0 if it had nothing to send,
    /// or sent the encoding of another push.
    pub encodings: u32,
    /// Wall time from connecting to the last answer.
    pub elapsed: Duration,
    /// The agent's peak resident memory in bytes; 0 if unknown.
    pub agent_peak_rss_bytes: u64,
    /// Files of the destination that the agent read.
    pub agent_files_read: u64,
    /// The agent, if it was missing and was installed. A dry run does this, too.
    pub agent_installed: Option<Installed>,
    /// Files by recipe name.
    pub recipes: BTreeMap<&'static str, Count>,
    /// The position of another destination of the run that is the same directory, if the push
    /// there did the work for both.
    pub same_as: Option<usize>,
    /// Files that did not arrive as they were sent and were sent again.
    pub retried: u64,
    /// The plan.
    pub plan: Plan,
    /// Why the push would be refused, if this was a dry run.
    pub refused: Option<Refusal>,
}

impl Report {
    /// The report of carrying out `plan` from `source`.
    pub(crate) fn of(plan: Plan, source: &[SourceEntry]) -> Report {
        let sizes = source.iter().filter_map(|local| local.entry.file_size());
        let total = sizes.fold(Count::default(), |sum, size| Count {
            files: sum.files + 1,
            bytes: sum.bytes + size,
        });
        let mut report = Report { total, ..Report::default() };
        report.count(Recipe::Keep.name(), Count { files: plan.kept_files, bytes: plan.kept_bytes });
        for action in &plan.actions {
            match &action.what {
                ActionKind::Delete => report.deleted += 1,
                ActionKind::Prune => report.pruned += 1,
                ActionKind::Respell { .. } => {}
                ActionKind::Dir { .. } => report.directories += 1,
                ActionKind::Symlink { .. } => report.symlinks += 1,
                ActionKind::File(file) => {
                    report.count(file.recipe.name(), Count { files: 1, bytes: file.size });
                    report.files_sent += u64::from(file.recipe.has_content());
                }
            }
        }
        report.plan = plan;
        report
    }

    fn count(&mut self, recipe: &'static str, count: Count) {
        if count.files > 0 {
            let sum = self.recipes.entry(recipe).or_default();
            sum.files += count.files;
            sum.bytes += count.bytes;
        }
    }
}
