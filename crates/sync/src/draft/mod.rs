//! Finds out how changed files can be made from old contents, before the destination is asked.

pub mod build;
pub mod choose_basis;
pub mod compared_contents;
pub mod contents;
pub mod drafts;
pub mod exact_diff;
pub mod old_contents;
pub mod renames;
pub mod sketch;
pub mod substitutes;
