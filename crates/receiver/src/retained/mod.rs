//! Retention: replaced contents and the history of deploys in the work directory.

pub(crate) mod contents;
pub(crate) mod history;
pub(crate) mod requests;
