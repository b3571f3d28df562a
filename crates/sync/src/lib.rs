//! The assetsync engine: it makes a directory at a destination equal to one at the source.
//!
//! ```text
//! scan -> state -> compare -> plan -> encode -> wire -> apply -> publish
//! ```
//!
//! **The sender plans; the agent obeys.** The [`sender`] scans the source, hears the destination's
//! [`state`], [`compare`]s, makes a [`plan`] in which every file has a [`recipe`], and encodes content. The
//! [`agent`] runs at the destination, builds every file in a staging area, checks its digest, and publishes by
//! renaming. Between them is the [`proto`]col, which does no input or output itself.
//!
//! Everything but [`fs`], [`agent`] and [`sender`] is pure: bytes and values in, bytes and values out.
//! `docs/architecture.md` draws the map.

pub mod agent;
#[cfg(feature = "sender")]
pub mod compare;
#[cfg(feature = "sender")]
pub mod compressed_names;
pub mod delta;
pub mod digest;
pub mod entry;
#[cfg(feature = "sender")]
pub mod entry_points;
#[cfg(feature = "sender")]
pub mod filter;
pub mod fs;
pub mod limits;
#[cfg(feature = "sender")]
pub mod logical_name;
pub mod path;
pub mod plan;
pub mod protected;
pub mod proto;
pub mod recipe;
pub mod renaming;
#[cfg(feature = "sender")]
pub mod sender;
#[cfg(feature = "sender")]
pub mod sftp;
#[cfg(feature = "sender")]
pub mod sketch;
pub mod state;
#[cfg(feature = "sender")]
pub mod store;

pub use assetsync_regzip as regzip;
pub use assetsync_rewrite as rewrite;
#[cfg(feature = "sender")]
pub use assetsync_ssh as transport;
