//! The decision of a deploy about a surveyed destination.

use std::error::Error;

use super::decision::Decision;
use crate::compare::content_match::SourceEntry;
use crate::converse::survey::Survey;

/// Decides, once a destination is surveyed, what is deleted and retained there when the given
/// source, in tree order, is published. An error ends the push before anything is planned; its text
/// is shown as it is.
pub type Decide<'d> = dyn Fn(&Survey, &[SourceEntry]) -> Result<Decision, Box<dyn Error + Send + Sync>>
    + Send
    + Sync
    + 'd;
