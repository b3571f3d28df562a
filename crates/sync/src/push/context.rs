//! The values that all steps of a push share.

use assetsync_ssh::Target;

use crate::connect::start_agent::ConnectOptions;
use crate::event::Monitor;
use crate::options::Options;
use crate::plan::decide::Decide;
use crate::scan::source::Source;

/// A push to one destination: what is pushed, where to, and how.
#[derive(Clone, Copy)]
pub struct PushContext<'c, 'a> {
    /// The tree to push.
    pub source: &'a Source,
    /// The destination.
    pub target: &'c Target,
    /// How the destination is reached.
    pub connection: &'c ConnectOptions<'a>,
    /// Its options.
    pub options: &'c Options,
    /// Decides about deletes in a deploy. `None` for a plain push, whose agent publishes without a
    /// further command.
    pub decide: Option<&'c Decide<'c>>,
    /// Receives events.
    pub monitor: &'a dyn Monitor,
}

impl PushContext<'_, '_> {
    /// Whether the push is part of a deploy.
    pub(crate) fn is_deploy(&self) -> bool {
        self.decide.is_some()
    }
}
