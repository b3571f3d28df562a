//! How two trees are compared.

use assetsync_core::plan::PublishRank;

use super::content_match::MtimeResolution;
use crate::scan::chmod::Chmod;
use crate::scan::entry_points::EntryPoints;
use crate::scan::filter::Filter;
use crate::scan::links::LinkRules;
use crate::scan::logical_name::FingerprintRules;
use crate::scan::publish_rank;

/// How two trees are compared, and whether the source decides what is deleted.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Delete extraneous paths.
    pub delete: bool,
    /// Take files of equal size for equal, whatever their content.
    pub size_only: bool,
    /// The resolution of the destination's times.
    pub clock: MtimeResolution,
    /// Paths that are ignored on both sides.
    pub filter: Filter,
    /// What is done with symlinks of the source.
    pub links: LinkRules,
    /// The permission bits that files and directories get, whatever they have in the source.
    pub chmod: Chmod,
    /// Files that are published late although their names don't say so.
    pub entry_points: EntryPoints,
    /// How fingerprints look.
    pub names: FingerprintRules,
}

impl Policy {
    /// When the file with this path, relative to the root, is published.
    pub fn rank(&self, path: &[u8]) -> PublishRank {
        let by_name = publish_rank::of(path, &self.names);
        match self.entry_points.contain(path) {
            true => by_name.max(PublishRank::Naming),
            false => by_name,
        }
    }

    /// Whether the filter protects a file of the destination from being deleted.
    pub fn protects(&self, path: &[u8]) -> bool {
        self.filter.covers(path, false)
    }
}
