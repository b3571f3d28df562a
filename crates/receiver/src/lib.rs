//! The agent: the far side of a push. It surveys the destination, answers questions, builds what it is told
//! to build in a staging area, and publishes. It plans nothing.
//!
//! Its memory does not grow with the size of files, and hardly with their number: lists go through
//! [spools](spool), content through buffers of fixed size.

mod conversation;
mod error;
mod publishing;
mod retained;
mod serve;
mod spool;
mod staging;
mod survey;
mod work;

pub use self::error::AgentError;
pub use self::serve::serve;
