//! A plan for a bucket in the words of the engine: for its guards and its reports; pure.

use std::collections::{BTreeMap, HashMap};

use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, FileAction, Plan};
use assetsync_core::recipe::{Basis, Recipe};
use assetsync_core::state::{self, RemoteEntry};
use assetsync_sync::{Count, Report};

use super::{BucketPlan, How, Step};
use crate::state::State;

/// The mode of files that have none.
const MODE: u32 = 0o644;

/// The engine's view of a bucket: its objects as files.
#[derive(Debug)]
pub struct EngineView {
    /// The objects.
    pub state: state::State,
    /// The plan.
    pub plan: Plan,
}

impl EngineView {
    /// The view of a plan for a bucket in this state.
    pub fn of(plan: &BucketPlan, there: &State) -> EngineView {
        let entries = remote_entries(there);
        let known: HashMap<&[u8], EntryIndex> = Index::enumerate(&entries)
            .map(|(at, remote)| (remote.entry.path.as_bytes(), at))
            .collect();
        let steps = plan.steps.iter().filter_map(|step| action(step, &known));
        let deletes = plan.deletes.iter().filter_map(|path| {
            let known = known.get(path.as_bytes()).copied();
            let path = RelPath::new(path.as_bytes()).ok()?;
            Some(Action { path, known, what: ActionKind::Delete })
        });
        let mut actions: Vec<Action> = steps.chain(deletes).collect();
        actions.sort_by(|a, b| a.path.cmp(&b.path));
        let Count { files: kept_files, bytes: kept_bytes } = plan.kept;
        let plan = Plan { actions, kept_files, kept_bytes, ..Plan::default() };
        EngineView { state: state::State { entries, partials: Vec::new() }, plan }
    }
}

/// The objects as the files of a destination.
pub fn remote_entries(there: &State) -> Vec<RemoteEntry> {
    let entries = there.objects.iter().filter_map(|(path, object)| {
        let entry = entry(path, object.size)?;
        Some(RemoteEntry { entry, digest: object.digest.map(|digest| digest.short()) })
    });
    let mut entries: Vec<RemoteEntry> = entries.collect();
    entries.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
    entries
}

fn entry(path: &str, size: u64) -> Option<Entry> {
    let path = RelPath::new(path.as_bytes()).ok()?;
    Some(Entry { path, kind: Kind::File { size }, mode: MODE, mtime: Mtime::default() })
}

fn action(step: &Step, known: &HashMap<&[u8], EntryIndex>) -> Option<Action> {
    let recipe = match &step.how {
        How::Send => Recipe::Whole,
        How::Headers => Recipe::Touch,
        // Neither a kept content nor a new one is one of the objects.
        How::Copy(from) => Recipe::Copy {
            from: known
                .get(from.path.as_bytes())
                .map_or(Basis::Partial(Index::new(0)), |at| Basis::Existing(*at)),
        },
    };
    let what = ActionKind::File(FileAction {
        size: step.wanted.size,
        mode: MODE,
        mtime: Mtime::default(),
        digest: Some(step.wanted.digest),
        recipe,
        rank: step.wanted.rank,
    });
    let path = RelPath::new(step.path.as_bytes()).ok()?;
    Some(Action { path, known: known.get(step.path.as_bytes()).copied(), what })
}

/// Adds what is deleted after publishing to a report.
pub fn add_pruned(report: &mut Report, pruned: &[String], there: &State) {
    for path in pruned {
        let Some(object) = there.objects.get(path) else { continue };
        let Ok(path) = RelPath::new(path.as_bytes()) else { continue };
        report.pruned += 1;
        report.removed.files += 1;
        report.removed.bytes += object.size;
        report.plan.actions.push(Action { path, known: None, what: ActionKind::Prune });
    }
    report.plan.actions.sort_by(|a, b| a.path.cmp(&b.path));
}

/// The report of a plan.
pub fn report(plan: &BucketPlan, view: EngineView, there: &State) -> Report {
    let mut recipes: BTreeMap<&'static str, Count> = BTreeMap::new();
    let mut count = |name, files, bytes| {
        let sum = recipes.entry(name).or_default();
        sum.files += files;
        sum.bytes += bytes;
    };
    if plan.kept.files > 0 {
        count(Recipe::Keep.name(), plan.kept.files, plan.kept.bytes);
    }
    let (mut total, mut files_sent) = (plan.kept, 0);
    for step in &plan.steps {
        let size = step.wanted.size;
        total.files += 1;
        total.bytes += size;
        let name = match step.how {
            How::Send => {
                files_sent += 1;
                Recipe::Whole.name()
            }
            How::Copy(_) => "copy",
            How::Headers => "headers",
        };
        count(name, 1, size);
    }
    let sizes = plan.deletes.iter().filter_map(|path| Some(there.objects.get(path)?.size));
    let bytes = sizes.sum();
    let deleted = plan.deletes.len() as u64;
    let removed = Count { files: deleted, bytes };
    Report { total, files_sent, deleted, removed, recipes, plan: view.plan, ..Report::default() }
}
