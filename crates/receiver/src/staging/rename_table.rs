//! The renames of a push, and the rewriter that follows from them.

use assetsync_core::index::RenameIndex;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::Rename;
use assetsync_core::renaming::substitution_pairs;
use assetsync_rewrite::Rewriter;

use crate::error::AgentError;
use crate::spool::Spool;
use crate::survey::index_entry::IndexEntry;

/// The renames and substitutes of a push.
#[derive(Default)]
pub struct RenameTable {
    renames: Vec<Rename>,
    substitutes: Vec<(Vec<u8>, Vec<u8>)>,
    rewriter: Option<Rewriter>,
}

impl RenameTable {
    /// Adds the next rename.
    pub fn rename(&mut self, rename: Rename) -> Result<(), AgentError> {
        if self.renames.len() >= limits::RENAMES {
            return Err(AgentError::protocol("too many renames"));
        }
        self.renames.push(rename);
        Ok(())
    }

    /// Adds another text that is rewritten.
    pub fn substitute(&mut self, old: Vec<u8>, new: Vec<u8>) -> Result<(), AgentError> {
        if self.substitutes.len() >= limits::SUBSTITUTES {
            return Err(AgentError::protocol("too many substitutes"));
        }
        self.substitutes.push((old, new));
        Ok(())
    }

    /// The new path of the rename with this index.
    pub fn path(
        &self,
        index: RenameIndex,
        index_entries: &mut Spool<IndexEntry>,
    ) -> std::io::Result<Option<RelPath>> {
        let Some(rename) = index.of(&self.renames) else { return Ok(None) };
        let index_entry = index_entries.get(rename.known)?;
        Ok(index_entry.and_then(|index_entry| rename.renamed_path(&index_entry.entry.path)))
    }

    /// The rewriter for old contents.
    pub fn rewriter(
        &mut self,
        index_entries: &mut Spool<IndexEntry>,
    ) -> Result<&Rewriter, AgentError> {
        if self.rewriter.is_none() {
            let rewriter = self.build(index_entries)?;
            self.rewriter = Some(rewriter);
        }
        self.rewriter.as_ref().ok_or(AgentError::SenderGone)
    }

    fn build(&self, index_entries: &mut Spool<IndexEntry>) -> Result<Rewriter, AgentError> {
        let mut fingerprints = Vec::with_capacity(self.renames.len());
        for rename in &self.renames {
            let index_entry = index_entries.get(rename.known).map_err(AgentError::WorkFiles)?;
            let old =
                index_entry.as_ref().and_then(|index_entry| rename.old(&index_entry.entry.path));
            let old = old.ok_or_else(|| AgentError::protocol("rename of what is not there"))?;
            fingerprints.push((old.to_vec(), rename.new.clone()));
        }
        let substitution_pairs = substitution_pairs(&self.substitutes, &fingerprints);
        Rewriter::new(substitution_pairs).map_err(AgentError::protocol)
    }
}
