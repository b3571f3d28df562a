//! A destination whose agent has started.

use super::context::PushContext;
use super::open_push::OpenPush;
use super::survey::deploy_greeting;
use super::surveyed::Surveyed;
use crate::connect::start_agent::KnownLine;
use crate::converse::session::{Session, SessionOptions};
use crate::converse::survey::CachedSurvey;
use crate::cost::line::Line;
use crate::error::PushError;
use crate::store::destination_cache::DestinationCache;

/// A destination whose agent has started. It is surveyed next.
pub struct Connected<'c, 'a>(OpenPush<'c, 'a>);

impl<'c, 'a> Connected<'c, 'a> {
    /// Reaches the destination and starts its agent.
    pub fn connect(
        context: &PushContext<'c, 'a>,
        cache: DestinationCache<'a>,
        cached_history: &[u8],
    ) -> Result<Connected<'c, 'a>, PushError> {
        let PushContext { source, target, connection, options, monitor, .. } = *context;
        let opening = SessionOptions {
            cached: cache.id(),
            whole_directory: options.whole_directory,
            deletes: context.is_deploy() || options.policy.delete,
            root_mode: source.root_mode(),
            deploy: context.is_deploy().then(|| deploy_greeting(cached_history)),
            // A push on its own is short; and the length of names is no measure of it.
            who: if context.is_deploy() { options.who.clone() } else { String::new() },
            files: source.file_names(),
            line: KnownLine { past: cache.past_line(), is_metered: options.is_metered() },
            ..SessionOptions::default()
        };
        let session = Session::connect(target, connection, opening, monitor)?;
        Ok(Connected(OpenPush { context: *context, session, cache }))
    }

    /// The line to it, as far as it is known.
    pub fn line(&self) -> Line {
        self.0.session.line()
    }

    /// Receives the state of the destination; what is `cached` need not be sent.
    pub fn survey(self, cached: CachedSurvey) -> Result<Surveyed<'c, 'a>, PushError> {
        let Connected(mut open) = self;
        let cached_history = cached.history.clone();
        let survey = open.session.survey(cached)?;
        let OpenPush { context, cache, .. } = &open;
        if context.is_deploy() && !context.connection.dry_run {
            cache.keep_history(&cached_history, &survey.history);
        }
        Ok(Surveyed { open, survey })
    }
}
