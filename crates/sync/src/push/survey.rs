//! Surveys a destination without pushing to it.

use assetsync_core::protocol::Deploy;
use assetsync_core::state::HistoryId;
use assetsync_ssh::{Target, TransportKind};

use crate::connect::start_agent::ConnectOptions;
use crate::converse::session::{Session, SessionOptions};
use crate::converse::survey::{CachedSurvey, Survey};
use crate::error::PushError;
use crate::event::Monitor;
use crate::sftp;
use crate::store::destination_cache::DestinationCache;

/// Surveys a destination for a deploy. Creates and changes nothing there, and does not list
/// partials. Over SFTP, if the connection's transport says so, it is only reached.
pub fn survey(
    target: &Target,
    connection: &ConnectOptions<'_>,
    monitor: &dyn Monitor,
) -> Result<Survey, PushError> {
    if connection.ssh.transport == Some(TransportKind::Sftp) {
        return sftp::look(target, connection, monitor);
    }
    let connection = ConnectOptions { dry_run: true, ..connection.clone() };
    let (cache, cached) = DestinationCache::of(target, &connection)?;
    let history = cache.history();
    let (remembered_id, deploy) = (cache.id(), Some(deploy_greeting(&history)));
    // Deploys survey before they build, so that a destination in which nothing may be deleted is
    // refused early.
    let opening = SessionOptions {
        cached: remembered_id,
        deletes: true,
        deploy,
        ..SessionOptions::default()
    };
    let mut session = Session::connect(target, &connection, opening, monitor)?;
    let survey = session.survey(CachedSurvey { entries: cached, history: history.clone() })?;
    session.quit()?;
    cache.keep_history(&history, &survey.history);
    Ok(survey)
}

/// The deploy part of the greeting: the cached history.
pub fn deploy_greeting(history: &[u8]) -> Deploy {
    Deploy { history: (!history.is_empty()).then(|| HistoryId::of(history)) }
}
