//! Surveys the destination: the scan, the index, the state report, and answers to queries.

pub(crate) mod agent_statistics;
pub(crate) mod answer_queries;
pub(crate) mod index;
pub(crate) mod index_entry;
pub(crate) mod scan;
pub(crate) mod state_report;
pub(crate) mod update_index;
pub(crate) mod walk;
