//! A push whose agent is running.

use super::context::PushContext;
use crate::converse::session::Session;
use crate::store::destination_cache::DestinationCache;

/// A push whose agent is running.
pub struct OpenPush<'c, 'a> {
    /// The push.
    pub context: PushContext<'c, 'a>,
    /// The conversation with its agent.
    pub session: Session<'a>,
    /// Its part of the store.
    pub cache: DestinationCache<'a>,
}
