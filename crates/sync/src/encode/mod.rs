//! Encodes a plan and its content as messages.

pub mod content_left;
pub mod delta;
pub mod file;
pub mod file_reader;
pub mod gz_splitter;
pub mod in_order;
pub mod inputs;
pub mod job;
pub mod patch_frames;
pub mod patches;
pub mod read_ahead;
pub mod sink;
pub mod stream_level;
