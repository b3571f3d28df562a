//! Compares the source with the destination.

pub mod aliases;
pub mod answers;
pub mod basis_index;
pub mod comparison;
pub mod content_match;
pub mod policy;
pub mod size_neighbours;
pub mod source_index;
