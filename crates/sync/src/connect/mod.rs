//! Reaching the destination and starting its agent.

pub mod link_speed;
pub mod start_agent;
