//! Drives a push from step to step.

use std::thread;

use assetsync_core::protocol::FailureCode;
use assetsync_ssh::{Target, TransportKind};

use super::by_agent::StagedByAgent;
use super::checks::check_source;
use super::connected::Connected;
use super::context::PushContext;
use super::prefetch::Prefetch;
use super::report::Report;
use super::staged::{Staged, StagedBy};
use crate::connect::start_agent::ConnectOptions;
use crate::converse::survey::CachedSurvey;
use crate::error::PushError;
use crate::event::{Event, Monitor};
use crate::options::Options;
use crate::scan::source::Source;
use crate::sftp::{self, StagedSftp};
use crate::store::destination_cache::DestinationCache;

/// Pushes `source` to `target`: afterwards the destination holds what the source holds.
///
/// With [`ConnectOptions::dry_run`] it stops once the plan is made. On any error the destination is
/// as it was, or, if publishing had begun, every path of it is whole, old or new; pushing again
/// completes it.
pub fn push(
    source: &Source,
    target: &Target,
    connection: &ConnectOptions<'_>,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<Report, PushError> {
    check_source(source, options)?;
    let context = PushContext { source, target, connection, options, decide: None, monitor };
    stage_with_retry(&context)?.into_report()
}

/// Stages a push: everything is at the destination and verified, nothing of it is published. Once
/// the destination is surveyed, [`PushContext::decide`] chooses what is deleted and what is
/// retained there.
///
/// The destination stays locked as long as the [`Staged`] lives. On any error it is as it was, and
/// the next try uses what was staged. Over SFTP, which is used if the connection's transport says
/// so, there are no locks, nothing is deleted and nobody is asked to decide.
pub fn stage<'a>(context: &PushContext<'_, 'a>) -> Result<Staged<'a>, PushError> {
    let staged = match context.connection.ssh.transport {
        Some(TransportKind::Sftp) => StagedBy::Sftp(Box::new(stage_over_sftp(context)?)),
        _ => StagedBy::Agent(Box::new(stage_with_retry(context)?)),
    };
    context.monitor.event(Event::Staged);
    Ok(Staged(staged))
}

fn stage_over_sftp<'a>(context: &PushContext<'_, 'a>) -> Result<StagedSftp<'a>, PushError> {
    let PushContext { source, target, connection, monitor, .. } = *context;
    let mut options = context.options.clone();
    options.policy.delete = false;
    sftp::stage(source, target, connection, &options, monitor)
}

/// Stages everything, a second time where other options avoid what failed the first time.
fn stage_with_retry<'a>(context: &PushContext<'_, 'a>) -> Result<StagedByAgent<'a>, PushError> {
    let error = match stage_once(context) {
        Err(error) => error,
        staged => return staged,
    };
    match retry_options(&error, context) {
        Some(connection) => stage_once(&PushContext { connection: &connection, ..*context }),
        None => Err(error),
    }
}

/// The options with which a push that failed can succeed.
fn retry_options<'a>(
    error: &PushError,
    context: &PushContext<'_, 'a>,
) -> Option<ConnectOptions<'a>> {
    let connection = context.connection.clone();
    let notice = |text: &str| context.monitor.event(Event::Notice(&format!("{error}; {text}")));
    match error {
        // A file that content was built on had changed, but not its size and times: this time, all
        // files are read.
        PushError::Agent(failure) if failure.code == FailureCode::Basis => {
            Some(ConnectOptions { checksum: true, ..connection })
        }
        error if error.is_shared_encoding_failure() => {
            notice("encoding for this destination alone instead");
            Some(ConnectOptions { group: None, ..connection })
        }
        error if error.is_lost_content() => {
            notice("pushing again without the store");
            Some(ConnectOptions { store: None, group: None, ..connection })
        }
        _ => None,
    }
}

/// Stages everything. The source is read and drafted while the destination is reached and surveyed.
fn stage_once<'a>(context: &PushContext<'_, 'a>) -> Result<StagedByAgent<'a>, PushError> {
    let (cache, entries) = DestinationCache::of(context.target, context.connection)?;
    let history = if context.is_deploy() { cache.history() } else { Vec::new() };
    let cached = CachedSurvey { entries, history };
    let prefetch = &Prefetch::new(context, &cached.entries, &cache);
    thread::scope(|scope| {
        let drafting = prefetch.start(scope);
        let connected = Connected::connect(context, cache.clone(), &cached.history);
        let line = connected.as_ref().ok().map(Connected::line);
        prefetch.reached(line.map(|line| line.recipes(context.options.recipes)));
        connected?.survey(cached.clone())?.plan(drafting)?.stage()
    })
}
