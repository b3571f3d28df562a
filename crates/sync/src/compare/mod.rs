//! Comparing the source with what the destination holds.

pub mod aliases;
pub mod answers;
pub mod basis_index;
pub mod comparison;
pub mod content_match;
pub mod policy;
