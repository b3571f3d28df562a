//! Encodes a plan and its content as messages.

pub mod adaptive_level;
pub mod delta;
pub mod file;
pub mod gz_splitter;
pub mod inputs;
pub mod job;
pub mod patch_frames;
pub mod patches;
pub mod sink;
