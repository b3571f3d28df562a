//! The assetsync engine: scan, compare, plan, delta, protocol, publish.
pub mod agent;
pub mod delta;
pub mod digest;
pub mod entry;
pub mod fs;
pub mod limits;
pub mod path;
pub mod plan;
pub mod proto;
pub mod recipe;
pub mod state;
pub mod text;
