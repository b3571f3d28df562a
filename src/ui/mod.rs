//! All output for people and scripts: the libraries return events and values, this module formats
//! them.

pub mod change_format;
mod command_tail;
pub mod config_text;
pub mod console;
pub mod doctor;
pub mod explained;
pub mod interrupt;
mod itemize;
pub mod label;
mod log_file;
pub mod monitor;
pub mod outcome;
pub mod output;
mod progress;
mod progress_line;
pub mod prompt;
mod push_json;
mod push_json_schema;
pub mod push_states;
pub mod race_progress;
mod rollout_json;
pub mod rollout_text;
pub mod run_info;
pub mod status;
mod step_lines;
pub mod store;
mod summary;
pub mod terminal_modes;
pub mod uninstalled;
