//! Listing and hashing the source, and the rules about names.

pub mod chmod;
pub mod compressed_names;
pub mod entry_points;
pub(crate) mod files;
pub mod filter;
pub mod links;
pub(crate) mod list;
pub mod logical_name;
pub mod notice;
pub mod publish_rank;
pub mod source;
pub(crate) mod source_tree;
