//! Everything a person or a script reads. The engine reports events and values; words are chosen here.

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
mod pace;
mod progress;
pub mod prompt;
pub mod rollout;
mod rollout_json;
pub mod run_info;
pub mod status;
mod steps;
pub mod store;
mod summary;
