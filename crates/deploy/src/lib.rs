//! Deploy steps over the engine: configuration, hosts, rollout, retention.

pub mod capistrano;
pub mod command;
pub mod config;
pub mod history;
pub mod rollout;
