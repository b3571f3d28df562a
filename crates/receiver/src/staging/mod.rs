//! Building and verifying every file of a plan beside the live tree.

pub(crate) mod check_rights;
pub(crate) mod file_builder;
pub(crate) mod plan_store;
pub(crate) mod prefix;
pub(crate) mod reference_reader;
pub(crate) mod rename_table;
pub(crate) mod stage_files;
pub(crate) mod staging_area;
