//! All output for people and scripts: the libraries return events and values, this module formats
//! them.

pub mod bench;
pub mod config;
pub mod console;
pub mod interrupt;
mod itemize;
mod json;
mod json_line;
pub mod monitor;
pub mod outcome;
pub mod output;
mod progress;
pub mod prompt;
pub mod rollout;
mod rollout_json;
pub mod run_info;
pub mod status;
mod steps;
pub mod store;
mod summary;
mod transfer_rate;
