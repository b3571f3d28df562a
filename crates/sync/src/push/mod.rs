//! One push to one destination: connected, surveyed, planned, staged, live.

mod by_agent;
pub mod checks;
pub mod connected;
pub mod context;
pub mod open_push;
pub mod pipeline;
pub mod planned;
pub mod prefetch;
mod record_files;
pub mod report;
pub mod staged;
pub mod survey;
pub mod surveyed;
