//! One attempt to plan and stage a push.

use std::collections::{BTreeMap, BTreeSet};

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::path::RelPath;
use assetsync_sync::{
    Decision, DeleteAt, Deletes, Event, HistoryEdit, PushError, Report, SourceEntry,
};

use super::publish::Staged;
use super::session::{BucketPush, Session};
use super::stage::Planned;
use super::survey::{Surveyed, identify};
use super::surveyed::engine_survey;
use crate::error::BucketError;
use crate::plan::report::{EngineView, add_pruned, report};
use crate::plan::wanted::Selection;
use crate::plan::{BucketPlan, Retained};
use crate::state::{STATE, State, kept_digest};

/// A push that is staged, or of which it was only found out what it would do.
pub struct Attempt {
    /// None if there is nothing to publish.
    pub staged: Option<Staged>,
    /// What the push does.
    pub report: Report,
}

/// Plans a push, and sends everything.
pub fn attempt(
    push: &BucketPush<'_>,
    session: &Session<'_>,
    selection: &Selection,
    mut surveyed: Surveyed,
) -> Result<Attempt, BucketError> {
    let monitor = session.progress.monitor;
    for link in &selection.symlinks {
        let text = format!("{link} is a symlink and left out: a bucket has none");
        monitor.event(Event::Notice(&text));
    }
    identify(&mut surveyed.state, &selection.objects, push.source)?;
    let paths = surveyed.state.objects.len() as u64;
    monitor.event(Event::Surveyed { paths, partials: 0 });
    let Surveyed { state, holder, is_settled } = surveyed;
    let mut plan = BucketPlan::new(&state, &selection.objects, &push.options.policy);
    let retained = decided(push, session, selection, (&state, &mut plan))?;
    let view = EngineView::of(&plan, &state);
    let checked = push.options.check(&view.plan, push.source, &view.state, state.completed);
    let mut report = report(&plan, view, &state);
    add_pruned(&mut report, &retained.pruned, &state);
    match checked {
        Err(PushError::Refused(refusal)) if push.dry_run && push.decide.is_none() => {
            report.refused = Some(refusal);
        }
        other => other?,
    }
    let planned = Planned { plan, retained, state, holder, is_settled };
    let is_over = push.dry_run || planned.is_done();
    let staged = match is_over {
        true => None,
        false => Some(planned.stage(session)?),
    };
    Ok(Attempt { staged, report })
}

/// What stays, by the decision of a deploy; it adds what is deleted to the plan.
fn decided(
    push: &BucketPush<'_>,
    session: &Session<'_>,
    selection: &Selection,
    (state, plan): (&State, &mut BucketPlan),
) -> Result<Retained, BucketError> {
    let Some(decide) = push.decide else {
        // Deploys rely on what they kept.
        let kept = if state.history.is_empty() { BTreeSet::new() } else { state.kept.clone() };
        return Ok(Retained { kept, ..Retained::default() });
    };
    let survey = engine_survey(state, session.objects.prefix);
    let decision = decide(&survey, &entries(selection)).map_err(PushError::Decision)?;
    let Decision { deletes, to_retain, retained_to_drop, history } = decision;
    let mut retained = kept(state, to_retain);
    let is_dropped =
        |name: &&String| kept_digest(name).is_some_and(|digest| retained_to_drop.contains(&digest));
    retained.dropped = state.kept.iter().filter(is_dropped).cloned().collect();
    if let Deletes::Listed(listed) = deletes {
        for (path, when) in listed {
            let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
            let is_extra =
                state.objects.contains_key(&path) && !selection.objects.contains_key(&path);
            if is_extra && !push.options.policy.protects(path.as_bytes()) {
                match when {
                    DeleteAt::Publishing => plan.deletes.push(path),
                    DeleteAt::Pruning => retained.pruned.push(path),
                }
            }
        }
        plan.deletes.sort();
        plan.deletes.dedup();
    }
    retained.history = history.map(|edit| edited(&state.history, &edit)).transpose()?;
    Ok(retained)
}

/// What is kept now, and these contents.
fn kept(state: &State, to_retain: Vec<(RelPath, Digest)>) -> Retained {
    let mut retained = Retained { kept: state.kept.clone(), ..Retained::default() };
    for (path, digest) in to_retain {
        let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        let there = state.objects.get(&path).filter(|object| object.digest == Some(digest));
        if let Some(object) = there {
            retained.kept.insert(object.kept_name());
            retained.to_keep.insert(object.kept_name(), path);
        }
    }
    retained
}

/// The new history of deploys.
fn edited(history: &[u8], edit: &HistoryEdit) -> Result<Vec<u8>, BucketError> {
    let kept = usize::try_from(edit.keep).ok().and_then(|keep| history.get(..keep));
    let kept = kept.ok_or_else(|| BucketError::Changed(STATE.to_owned()))?;
    Ok([kept, &edit.append].concat())
}

/// The objects as the files of a source.
fn entries(selection: &Selection) -> Vec<SourceEntry> {
    let objects: BTreeMap<RelPath, SourceEntry> = selection
        .objects
        .iter()
        .filter_map(|(path, wanted)| {
            let path = RelPath::new(path.as_bytes()).ok()?;
            let kind = Kind::File { size: wanted.size };
            let entry = Entry { path: path.clone(), kind, mode: 0o644, mtime: Mtime::default() };
            Some((path, SourceEntry { entry, digest: Some(wanted.digest) }))
        })
        .collect();
    objects.into_values().collect()
}
