//! What the destination holds: the scan, the index that spares reading, and what the sender is told.

pub(crate) mod agent_statistics;
pub(crate) mod answer_queries;
pub(crate) mod index;
pub(crate) mod index_entry;
pub(crate) mod scan;
pub(crate) mod state_report;
pub(crate) mod update_index;
pub(crate) mod walk;
