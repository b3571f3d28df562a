//! The sender: scans the source, compares, plans, encodes. It runs where there is memory.

mod basis;
mod content;
pub mod drafts;
mod effort;
mod encode;
mod error;
mod groups;
mod memory;
mod monitor;
mod outcome;
mod outlet;
mod patching;
pub mod planner;
mod reel;
mod regzips;
pub mod renames;
mod replay;
mod report;
mod session;
mod sharing;
mod source;
mod tape;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assetsync_transport::Target;
use rayon::prelude::*;

use self::drafts::{Drafts, OldContents, Regzip};
use self::memory::Memory;
use self::outcome::outcome;
use self::sharing::Drafted;

pub use self::error::PushError;
pub use self::monitor::{Event, Monitor, Silent};
pub use self::planner::{Answers, Comparison, Policy};
pub use self::report::{Count, Report};
pub(crate) use self::session::nonce;
pub use self::session::{Connection, Materials, Session};
pub use self::sharing::Sharing;
pub(crate) use self::source::read_again;
pub use self::source::{Source, SourceError, Unreadable};
pub(crate) use self::wire::Rate;
use crate::plan::{Plan, What};
use crate::proto::{FailureCode, StateHasher};
use crate::state::{RemoteEntry, State, StateId};

/// What a push may do at its destination.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How trees are compared and what is deleted.
    pub policy: Policy,
    /// Refuse a plan with more deletes.
    pub max_delete: Option<u64>,
    /// Let an empty source empty the destination.
    pub allow_empty: bool,
}

/// Pushes `source` to `target`: afterwards the destination holds what the source holds.
///
/// With [`Connection::dry_run`] it stops once the plan is made. On any error the destination is as it was,
/// or, if publishing had begun, every path of it is whole, old or new; pushing again completes it.
pub fn push(
    source: &Source,
    target: &Target,
    connection: &Connection<'_>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    check_source(source, options)?;
    match attempt(source, target, connection, options, monitor) {
        // Content was built on a file that had changed behind its size and times: this time, read them all.
        Err(PushError::Agent(failure)) if failure.code == FailureCode::Basis => {
            let connection = Connection { checksum: true, ..connection.clone() };
            attempt(source, target, &connection, options, monitor)
        }
        Err(error) if error.is_of_sharing() => {
            monitor.event(Event::Notice(&format!("{error}; now it is pushed to alone")));
            let connection = Connection { sharing: None, ..connection.clone() };
            attempt(source, target, &connection, options, monitor)
        }
        done => done,
    }
}

fn attempt(
    source: &Source,
    target: &Target,
    connection: &Connection<'_>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    let (memory, remembered) = Memory::of(target, connection)?;
    let (remembered, is_reached) = (&remembered, &AtomicBool::new(false));
    // The source is read while the destination is reached and surveyed.
    std::thread::scope(|scope| {
        let early = scope.spawn(|| {
            let (sharing, id) = (connection.sharing, memory.id());
            let early = early_drafts(source, remembered, id, options, memory.contents(), sharing)?;
            let regzips = Arc::clone(&early.drafts.regzips);
            if early.is_new {
                scope.spawn(move || take_apart_until(is_reached, &regzips, source));
            }
            Some(early.drafts)
        });
        let connected = Session::connect(target, connection, memory.id(), monitor);
        is_reached.store(true, Ordering::Relaxed);
        let mut session = connected?;
        let state = session.survey(remembered.clone())?;
        let entries = source.hashed()?;
        let comparison = Comparison::new(entries, &state, &options.policy);
        let early = if state.entries == *remembered { early.join().ok().flatten() } else { None };
        let drafts = early.unwrap_or_else(|| {
            let id = || StateHasher::id(&state.entries);
            let recipes = options.policy.recipes;
            let make = || Drafts::make(&comparison, source, memory.contents(), recipes);
            sharing::drafts(connection.sharing, id, &state.leftovers, make).drafts
        });
        let comparison = comparison.with(drafts, session.worthwhile(options.policy.recipes));
        let answers = session.ask(&comparison)?;
        let mut plan = comparison.plan(&answers).map_err(PushError::InTheWay)?;
        check_deletes(&plan, options)?;
        let mut retried = 0;
        if connection.dry_run || !session.has_work(&plan) {
            session.bye()?;
        } else {
            let (comparison, old) = (&comparison, memory.contents());
            let materials = Materials {
                source,
                comparison,
                answers: &answers,
                old,
                sharing: connection.sharing,
            };
            session.send(&plan, &materials, true)?;
            let keeping = scope.spawn(|| memory.keep_contents(source, entries));
            retried = session.confirm(&mut plan, source, true)?;
            session.published()?;
            let _ = keeping.join();
        }
        if !connection.dry_run {
            memory.keep_state(session.state(), &outcome(&state, &plan, entries));
        }
        let mut report = Report::of(plan, entries);
        report.retried = retried;
        session.measure(&mut report);
        Ok(report)
    })
}

/// What can be found out about the source while the destination is reached, if that is as it was. In any case the
/// source is read.
fn early_drafts(
    source: &Source,
    remembered: &[RemoteEntry],
    id: Option<StateId>,
    options: &Options,
    old: &dyn OldContents,
    sharing: Option<&Sharing>,
) -> Option<Drafted> {
    let (entries, id) = (source.hashed().ok()?, id?);
    if remembered.is_empty() {
        return None;
    }
    let make = || {
        let state = State { entries: remembered.to_vec(), leftovers: Vec::new() };
        let comparison = Comparison::new(entries, &state, &options.policy);
        Drafts::make(&comparison, source, old, options.policy.recipes)
    };
    Some(sharing::drafts(sharing, || id, &[], make))
}

/// Begins to take `.gz` files apart while a far host is being reached; a near one is reached before this begins.
fn take_apart_until(is_reached: &AtomicBool, regzips: &HashMap<usize, Regzip>, source: &Source) {
    regzips.par_iter().for_each(|(&at, regzip)| {
        if !is_reached.load(Ordering::Relaxed) {
            regzip.corrections(source, at);
        }
    });
}

/// A build that failed may leave an empty directory; it shall not empty the destination too.
pub(crate) fn check_source(source: &Source, options: &Options) -> Result<(), PushError> {
    if source.entries.is_empty() && options.policy.delete && !options.allow_empty {
        return Err(PushError::EmptySource(source.path().display().to_string()));
    }
    Ok(())
}

pub(crate) fn check_deletes(plan: &Plan, options: &Options) -> Result<(), PushError> {
    let planned = plan.actions.iter().filter(|action| action.what == What::Delete).count() as u64;
    match options.max_delete {
        Some(allowed) if planned > allowed => Err(PushError::TooManyDeletes { planned, allowed }),
        _ => Ok(()),
    }
}
