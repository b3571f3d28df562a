//! One destination while it is pushed to.

use super::context::PushContext;
use crate::converse::session::Session;
use crate::store::destination_cache::DestinationCache;

/// A destination with a running agent.
pub struct Destination<'c, 'a> {
    /// The push.
    pub context: PushContext<'c, 'a>,
    /// The conversation with its agent.
    pub session: Session<'a>,
    /// What the store has of it.
    pub cache: DestinationCache<'a>,
}
