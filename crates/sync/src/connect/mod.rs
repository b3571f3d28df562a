//! Connects to the destination and starts its agent.

pub mod nonce;
pub mod start_agent;
