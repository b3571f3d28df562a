//! What outlives a push for a deploy tool: replaced contents and the history of deploys.

pub(crate) mod contents;
pub(crate) mod history;
pub(crate) mod requests;
