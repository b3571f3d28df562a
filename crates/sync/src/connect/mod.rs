//! Connects to the destination and starts its agent.

pub mod link_speed;
pub mod nonce;
pub mod start_agent;
