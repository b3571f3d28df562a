//! The end of staging: everything that publishing would take room for is made.

use super::stage_files::Stager;
use crate::error::AgentError;
use crate::publishing::prepare::prepare;
use crate::publishing::publisher::PublishError;
use crate::publishing::whole_directory::{TreeClone, is_needed};

impl Stager<'_, '_> {
    /// Prepares everything for publishing, which then takes no room.
    pub(super) fn prepare(&mut self) -> Result<(), AgentError> {
        let prepared = prepare(self.plan, self.tree, self.stage, self.areas);
        prepared.map_err(|PublishError { path, source }| AgentError::Stage { path, source })?;
        if let Some(retention) = &mut self.retention {
            retention.prepare(self.plan, self.tree)?;
        }
        if let Some(clone) = &mut self.clone
            && is_needed(self.plan)?
        {
            **clone = Some(TreeClone::make(self.plan, self.tree, self.work)?);
        }
        self.stage.reserve(self.plan).map_err(AgentError::WorkFiles)
    }
}
