//! Listing and hashing the source, and the rules about names.

pub mod compressed_names;
pub mod entry_points;
pub mod filter;
pub mod left_out;
pub mod logical_name;
pub mod source;
