//! The destination's side of a push, which runs in the agent: it surveys the destination, answers
//! queries, stages the files of a plan and publishes them. It plans nothing.
//!
//! Its memory does not grow with the size of files, and hardly with their number: lists go through
//! `spool`, content through buffers of fixed size.

mod confinement;
mod conversation;
mod error;
mod heartbeat;
#[doc(hidden)]
pub mod internals;
mod output;
mod publishing;
mod push;
mod retained;
mod serve;
mod spool;
mod staging;
mod survey;
mod work;

pub use self::confinement::{Access, Allowed, Confine};
pub use self::error::AgentError;
pub use self::serve::{ServeOptions, serve, serve_with};
