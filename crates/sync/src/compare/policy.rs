//! What decides, besides the two trees, how they are compared.

use super::content_match::{CompareBy, MtimeResolution};
use crate::scan::entry_points::EntryPoints;
use crate::scan::filter::Filter;
use crate::scan::logical_name::FingerprintRules;

/// How two trees are compared, and whether the source decides what is deleted.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Delete what the source does not have.
    pub delete: bool,
    /// What decides whether files are the same.
    pub rule: CompareBy,
    /// How finely the destination keeps times.
    pub clock: MtimeResolution,
    /// What is not looked at on either side.
    pub filter: Filter,
    /// What is published last.
    pub entry_points: EntryPoints,
    /// How fingerprints look.
    pub names: FingerprintRules,
}
