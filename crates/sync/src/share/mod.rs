//! Encoding once for several destinations in the same state.

pub mod push_group;
pub mod run_members;
pub mod shared_encoding;
pub mod spill_buffer;
