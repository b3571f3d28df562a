//! The problem that this project was born from, with real parts: compiling assets on a small server gets the process
//! killed; the pasted rsync recipe compiles here and copies; a deploy does the same with less.
//!
//! [`tell`] runs all three and measures; [`table`] writes the outcome as the README shows it, and [`read`] reads it
//! from there again.

mod error;
mod server;
mod table;
mod telling;

pub use error::StoryError;
pub use table::{BEGIN, END, read, replace, table};
pub use telling::{Copying, Outcome, Story, tell};

/// The memory of the server.
pub const MACHINE: u64 = 512 << 20;

/// What of it Linux and its daemons are taken to have, before any application: an assumption on the low side, as the
/// cgroup can only hold what runs for the application.
pub const SYSTEM: u64 = 96 << 20;

/// The link between the two.
pub const LINK: &str = "50ms,20mbit";
