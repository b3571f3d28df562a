//! Shared by both sides of a push: paths, entries, digests, states, plans, recipes, delta
//! signatures and the protocol.
//!
//! Everything here is pure: bytes and values in, bytes and values out; no file, socket, clock or
//! process.

pub mod delta;
pub mod digest;
pub mod entry;
pub mod index;
pub mod limits;
pub mod path;
pub mod plan;
pub mod protected;
pub mod protocol;
pub mod recipe;
pub mod renaming;
pub mod sample;
pub mod state;
pub mod text;
pub mod work_names;
