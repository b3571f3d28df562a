//! The conversation with the agent.

pub mod deploy_requests;
pub mod progress_sink;
pub mod receive_survey;
pub mod send_shared;
pub mod session;
pub mod survey;
pub mod wire;
