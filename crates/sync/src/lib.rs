//! The assetsync engine: it makes a directory at a destination equal to one at the source.
//!
//! ```text
//! scan -> state -> compare -> plan -> encode -> wire -> apply -> publish
//! ```
//!
//! **The sender plans; the agent obeys.** This crate is the sender: it scans the source, receives the
//! destination's state, compares, makes a plan in which every file has a recipe, and encodes
//! content. The agent (`assetsync-receiver`) runs at the destination, builds every file
//! in a staging area, checks its digest, and publishes by renaming. The protocol between them is in
//! `assetsync-core`.
//!
//! [`Push`] is the way in: a source, any number of destinations, and options.
//! `docs/architecture.md` draws the map.

mod builder;
mod compare;
mod connect;
mod converse;
mod cost;
mod destination;
mod draft;
mod encode;
mod error;
mod event;
#[doc(hidden)]
pub mod internals;
mod options;
mod placement;
mod plan;
mod push;
mod scan;
mod sftp;
mod share;
mod store;

pub use crate::builder::{Interaction, PreparedPush, Push, Pushed};
pub use crate::compare::content_match::SourceEntry;
pub use crate::compare::policy::Policy;
pub use crate::connect::start_agent::ConnectOptions;
pub use crate::converse::survey::Survey;
pub use crate::destination::Destination;
pub use crate::error::PushError;
pub use crate::event::{Event, Monitor};
pub use crate::options::Options;
pub use crate::placement::PlacementError;
pub use crate::plan::decide::Decide;
pub use crate::plan::decision::{Decision, DeleteAt, Deletes, HistoryEdit};
pub use crate::plan::guards::{Foreign, Refusal};
pub use crate::push::context::PushContext;
pub use crate::push::pipeline::stage;
pub use crate::push::report::{Count, Report};
pub use crate::push::staged::{Live, Staged};
pub use crate::push::survey::survey;
pub use crate::scan::chmod::Chmod;
pub use crate::scan::entry_points::{DEFAULT_PATTERNS, EntryPoints};
pub use crate::scan::filter::{Filter, Rule, Sides, parse_lines};
pub use crate::scan::links::LinkRules;
pub use crate::scan::logical_name::FingerprintRules;
pub use crate::scan::notice::{About, ScanNotice};
pub use crate::scan::source::{Source, SourceError};
pub use crate::share::push_group::PushGroup;
pub use crate::store::{CachedDestination, Explanation, Pruned, Store, StoreError, StoreStatus};
