//! One push to one destination, up to where everything is staged, or, for a plain push, published.

use std::sync::Arc;

use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::protocol::FailureCode;
use assetsync_core::recipe::Recipes;
use assetsync_ssh::Target;

use super::report::{Count, Report};
use super::staged::{PushState, Staged};
use crate::compare::comparison::{Comparison, Policy};
use crate::compare::content_match::SourceEntry;
use crate::connect::start_agent::ConnectOptions;
use crate::converse::receive_survey::{CachedSurvey, Survey, deploy};
use crate::converse::session::{EncodeInputs, SessionOptions};
use crate::draft::prefetch::Prefetch;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::plan::decision::{Decide, Decision, Deletes, DeployRequests};
use crate::plan::guards;
use crate::plan::guards::{Contact, Refusal};
use crate::scan::source::Source;
use crate::store::destination_cache::DestinationCache;

/// What a push may do at its destination.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How trees are compared and what is deleted.
    pub policy: Policy,
    /// Refuse a plan with more deletes.
    pub max_delete: Option<u64>,
    /// Let an empty source empty the destination.
    pub allow_empty: bool,
    /// How the destination comes to hold what the source holds.
    pub publish: Publishing,
    /// The only ways files may take; if none are given, all that pay on the way to the destination.
    pub recipes: Option<Recipes>,
}

/// How a destination comes to hold what the source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Publishing {
    /// File by file, entry points last: every path is whole at every moment.
    #[default]
    Files,
    /// All at once: a new tree, built beside the destination from links to what stays, changes places with it.
    Directory,
}

/// Pushes `source` to `target`: afterwards the destination holds what the source holds.
///
/// With [`ConnectOptions::dry_run`] it stops once the plan is made. On any error the destination is as it was,
/// or, if publishing had begun, every path of it is whole, old or new; pushing again completes it.
pub fn push(
    source: &Source,
    target: &Target,
    connection: &ConnectOptions<'_>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    check_source(source, options)?;
    let mut staged = stage_with_retry(source, target, connection, options, None, monitor)?;
    if staged.push_state == PushState::Waiting {
        staged.wait_published()?;
    }
    Ok(staged.report)
}

/// Stages, and, if the destination's files are not what they were taken for, does so once more.
pub(crate) fn stage_with_retry<'a>(
    source: &'a Source,
    target: &Target,
    connection: &ConnectOptions<'a>,
    options: &'a Options,
    decide: Option<&dyn Decide>,
    monitor: &'a dyn Monitor,
) -> Result<Staged<'a>, PushError> {
    match stage_once(source, target, connection, options, decide, monitor) {
        // Content was built on a file that had changed behind its size and times: this time, read them all.
        Err(PushError::Agent(failure)) if failure.code == FailureCode::Basis => {
            let connection = ConnectOptions { checksum: true, ..connection.clone() };
            stage_once(source, target, &connection, options, decide, monitor)
        }
        Err(error) if error.is_shared_encoding_failure() => {
            monitor.event(Event::Notice(&format!("{error}; now it is pushed to alone")));
            let connection = ConnectOptions { group: None, ..connection.clone() };
            stage_once(source, target, &connection, options, decide, monitor)
        }
        Err(error) if error.is_lost_content() => {
            monitor.event(Event::Notice(&format!("{error}; now it is pushed without one")));
            let connection = ConnectOptions { store: None, group: None, ..connection.clone() };
            stage_once(source, target, &connection, options, decide, monitor)
        }
        done => done,
    }
}

/// Stages everything. Without anybody to `decide` it is a plain push: the agent goes on to publish by itself.
fn stage_once<'a>(
    source: &'a Source,
    target: &Target,
    connection: &ConnectOptions<'a>,
    options: &'a Options,
    decide: Option<&dyn Decide>,
    monitor: &'a dyn Monitor,
) -> Result<Staged<'a>, PushError> {
    let (memory, cached) = DestinationCache::of(target, connection)?;
    let history = decide.map(|_| memory.history()).unwrap_or_default();
    let deploy = decide.map(|_| deploy(&history));
    let known = CachedSurvey { entries: cached.clone(), history: history.clone() };
    let early = &Prefetch::new(source, &cached, &memory, options, connection);
    // The source is read while the destination is reached and surveyed.
    let outcome = std::thread::scope(|scope| {
        let drafting = scope.spawn(|| {
            let drafted = early.draft()?;
            if drafted.is_new {
                let drafts = Arc::clone(&drafted.drafts);
                scope.spawn(move || early.split_gz(&drafts));
            }
            Some(drafted.drafts)
        });
        let deletes = decide.is_some() || options.policy.delete;
        let (cached, publish) = (memory.id(), options.publish);
        let opening = SessionOptions { cached, publish, deletes, deploy };
        let mut session = early.connect(target, opening, monitor)?;
        let survey = session.survey(known)?;
        if !connection.dry_run && decide.is_some() {
            memory.keep_history(&history, &survey.history);
        }
        let entries = source.hashed()?;
        let decision = decision(decide, &survey, entries, options)?;
        let requests = DeployRequests::of(&decision, &survey)?;
        let recipes = session.link_speed().recipes(options.recipes);
        let comparison = Comparison::new(entries, &survey.state, &options.policy, recipes)
            .deploying(&decision.deletes, &survey.retained_contents)
            .given(source.has_contents_elsewhere());
        let drafts = early.drafts(drafting, &comparison, &survey);
        let comparison = comparison.with(drafts);
        let (answers, one_name) = session.ask(&comparison)?;
        let comparison = comparison.aliased(&one_name).map_err(PushError::OneName)?;
        let mut plan = comparison.plan(&answers).map_err(PushError::Obstruction)?;
        check_plan(&plan, source, options)?;
        let refused = refusal(&plan, source, &survey, options);
        if let Some(refusal) = refused.clone().filter(|_| !connection.dry_run || decide.is_some()) {
            // Whoever tries again finds the destination unlocked.
            let _ = session.end();
            return Err(refusal.into());
        }
        let (mut retried, mut push_state) = (0, PushState::Nothing);
        if connection.dry_run || !session.has_work(&plan, &requests) {
            session.bye()?;
        } else {
            check_contents(&plan, source)?;
            let (comparison, old) = (&comparison, memory.contents());
            let materials = EncodeInputs {
                source,
                comparison,
                answers: &answers,
                old,
                group: connection.group,
            };
            let publish = decide.is_none();
            session.send(&plan, &materials, &requests, publish)?;
            scope.spawn(|| memory.keep_contents(source, entries));
            retried = session.wait_staged(&mut plan, source, publish)?;
            push_state = PushState::Waiting;
        }
        let pruned = plan.actions.iter().any(|action| action.what == ActionKind::Prune);
        let prunes = pruned || !requests.retained_to_drop.is_empty();
        let history = requests.history.and_then(|edit| edit.apply(&survey.history));
        let removed = Count::of_removed(&plan, &survey.state);
        let report = Report { retried, removed, refused, ..Report::of(plan, entries) };
        Ok::<_, PushError>((session, survey, entries, report, history, prunes, push_state))
    });
    let (session, survey, entries, report, history, prunes, push_state) = outcome?;
    let mut staged =
        Staged { session, memory, survey, entries, report, history, prunes, push_state };
    match (connection.dry_run, push_state) {
        (true, _) => staged.push_state = PushState::DryRun,
        (false, PushState::Nothing) => staged.remember(true),
        _ => {}
    }
    staged.session.measure(&mut staged.report);
    Ok(staged)
}

/// What a deploy decides, or what the options say.
fn decision(
    decide: Option<&dyn Decide>,
    survey: &Survey,
    wanted: &[SourceEntry],
    options: &Options,
) -> Result<Decision, PushError> {
    let Some(decide) = decide else {
        let deletes = if options.policy.delete { Deletes::Extraneous } else { Deletes::None };
        return Ok(Decision { deletes, ..Decision::default() });
    };
    let mut decision = decide.decide(survey, wanted).map_err(PushError::Decision)?;
    decision.deletes.sort();
    Ok(decision)
}

/// Why the plan may not be carried out, if so. Whoever has a history has deployed, and was judged then.
fn refusal(plan: &Plan, source: &Source, survey: &Survey, options: &Options) -> Option<Refusal> {
    let pushed_before = survey.statistics.pushed_before || !survey.history.is_empty();
    Contact { source, state: &survey.state, pushed_before }.refusal(plan, options)
}

/// A build that failed may leave an empty directory; it shall not empty the destination too.
pub(crate) fn check_source(source: &Source, options: &Options) -> Result<(), PushError> {
    if options.policy.delete && !options.allow_empty && !source.has_files() {
        return Err(PushError::EmptySource(assetsync_core::text::path(source.path())));
    }
    Ok(())
}

/// Checks that what a deploy deletes is not all there is.
fn check_plan(plan: &Plan, source: &Source, options: &Options) -> Result<(), PushError> {
    if guards::deletes(plan) > 0 && !options.allow_empty && !source.has_files() {
        return Err(PushError::EmptySource(assetsync_core::text::path(source.path())));
    }
    Ok(())
}

/// Checks that the contents of a given source are here, as far as they must travel.
fn check_contents(plan: &Plan, source: &Source) -> Result<(), PushError> {
    if !source.has_contents_elsewhere() {
        return Ok(());
    }
    let mut tree = source.tree().map_err(PushError::Io)?;
    let travels = |action: &&Action| action.file().is_some_and(|file| file.recipe.has_content());
    for action in plan.actions.iter().filter(travels) {
        tree.open_file(&action.path)
            .map_err(|_| PushError::Missing { path: action.path.to_string() })?;
    }
    Ok(())
}
