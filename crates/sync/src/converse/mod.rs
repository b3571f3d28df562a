//! The conversation with the agent.

pub mod ask_queries;
pub mod deploy_requests;
pub mod progress_sink;
pub mod receive_survey;
pub mod retry_files;
pub mod send_shared;
pub mod session;
pub mod survey;
pub mod wire;
pub mod wire_estimate;
mod working;
