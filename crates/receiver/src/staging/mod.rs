//! Stages a plan: builds and verifies its files in the staging area.

pub(crate) mod check_plan;
pub(crate) mod file_builder;
pub(crate) mod foreign_files;
pub(crate) mod plan_store;
pub(crate) mod prefix;
mod prepare_publishing;
pub(crate) mod reference_reader;
pub(crate) mod rename_table;
mod reserve;
pub(crate) mod stage_files;
pub(crate) mod staging_area;
