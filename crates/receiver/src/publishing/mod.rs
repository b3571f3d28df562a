//! Publishes staged files: one by one, or the whole directory at once.

pub(crate) mod alias;
pub(crate) mod clone_tree;
pub(crate) mod exchange;
pub(crate) mod publisher;
pub(crate) mod whole_directory;
