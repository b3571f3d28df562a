//! Publishes staged files: one by one, or the whole directory at once.

pub(crate) mod actions;
pub(crate) mod alias;
pub(crate) mod areas;
mod carry;
pub(crate) mod clone_tree;
pub(crate) mod exchange;
mod kinds;
mod passes;
pub(crate) mod prepare;
pub(crate) mod proof;
pub(crate) mod publisher;
mod replace;
mod take_back;
pub(crate) mod whole_directory;
