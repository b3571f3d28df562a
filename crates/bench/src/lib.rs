//! An honest race against rsync.
//!
//! Every [`Competitor`] is a shell command. In every [`Scenario`] each of them, one after the other,
//! brings a directory on a server up to date by SSH; what that took is measured in the same way for
//! everyone, and the tree it left is compared with what it should be. A competitor that leaves a
//! wrong tree is shown as wrong, not as fast.
//!
//! ```text
//! Plan ── race ── Record ──┬── table      80 columns
//!                          ├── markdown   a page
//!                          ├── chart      an SVG picture, light and dark
//!                          └── JSON       of which the others can be made again
//! ```
//!
//! What is measured: seconds from start to end of the command; CPU seconds of everything it starts
//! here, its SSH client included; CPU seconds and peak memory of what it starts on the far side,
//! without sshd; TCP payload each way, counted by a forwarder that is also the link. What runs
//! ([`race`], `ground`, `far`) is apart from what only computes (`record`, `stats`, `table`,
//! `markdown`, `chart`). Nothing here prints; a [`Monitor`] is told how it goes.

mod chart;
mod check;
mod competitor;
mod error;
mod far;
mod far_side;
mod gaps;
mod ground;
mod host;
mod lane;
mod machine;
mod markdown;
mod measure;
mod monitor;
mod names;
mod race;
mod record;
mod scenario;
mod source;
mod stats;
mod table;
mod units;

pub use assetsync_link::LinkSpec;
pub use chart::chart;
pub use competitor::{Competitor, Role};
pub use error::{Error, Result};
pub use far_side::far_side;
pub use markdown::markdown;
pub use monitor::{Event, Monitor};
pub use race::{Plan, race};
pub use record::{Bundle, Entrant, Entry, Heat, Machine, Outcome, Race, Record, Run, SCHEMA};
pub use scenario::Scenario;
pub use table::table;
