//! The decision of a deploy about a surveyed destination.

use std::error::Error;

use super::decision::Decision;
use crate::compare::content_match::SourceEntry;
use crate::converse::survey::Survey;

/// Decides, once a destination is surveyed, what is deleted and what is retained there.
pub trait Decide: Sync {
    /// Decides what is deleted and retained at the destination when `wanted`, in tree order, is
    /// published there. An error ends the push before anything is planned; its text is shown as it
    /// is.
    fn decide(
        &self,
        survey: &Survey,
        wanted: &[SourceEntry],
    ) -> Result<Decision, Box<dyn Error + Send + Sync>>;
}
