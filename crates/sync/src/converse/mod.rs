//! The conversation with the agent.

pub mod receive_survey;
pub mod session;
pub mod wire;
