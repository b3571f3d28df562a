//! The assetsync engine: it makes a directory at a destination equal to one at the source.
//!
//! ```text
//! scan -> state -> compare -> plan -> encode -> wire -> apply -> publish
//! ```
//!
//! **The sender plans; the agent obeys.** This crate is the sender: it [`scan`]s the source, receives the
//! destination's state, [`compare`]s, makes a plan in which every file has a recipe ([`plan`]), and
//! [`encode`]s content. The agent (`assetsync-receiver`) runs at the destination, builds every file
//! in a staging area, checks its digest, and publishes by renaming. The protocol between them is in
//! `assetsync-core`.
//!
//! [`Push`] is the way in: a source, any number of destinations, and options.
//! `docs/architecture.md` draws the map.

pub mod builder;
pub mod compare;
pub mod connect;
pub mod converse;
pub mod destination;
pub mod draft;
pub mod encode;
pub mod error;
pub mod event;
pub mod options;
pub mod placement;
pub mod plan;
pub mod push;
pub mod scan;
pub mod sftp;
pub mod share;
pub mod store;

pub use crate::builder::{Interaction, PreparedPush, Push, Pushed};
pub use crate::compare::aliases::OneName;
pub use crate::compare::answers::Answers;
pub use crate::compare::comparison::Comparison;
pub use crate::compare::policy::Policy;
pub use crate::connect::link_speed::LinkSpeed;
pub use crate::connect::start_agent::ConnectOptions;
pub use crate::converse::survey::Survey;
pub use crate::destination::Destination;
pub use crate::error::PushError;
pub use crate::event::{Event, Monitor, NoMonitor};
pub use crate::options::{Options, Publishing};
pub use crate::placement::{Misplaced, PlacementError};
pub use crate::plan::decide::Decide;
pub use crate::plan::decision::{Decision, DeleteAt, Deletes, HistoryEdit};
pub use crate::plan::guards::{Foreign, Refusal};
pub use crate::push::context::PushContext;
pub use crate::push::pipeline::{push, stage};
pub use crate::push::report::{Count, Report};
pub use crate::push::staged::{Live, Staged};
pub use crate::push::survey::survey;
pub use crate::scan::links::LinkRules;
pub use crate::scan::list::Unreadable;
pub use crate::scan::notice::{About, ScanNotice};
pub use crate::scan::source::{Source, SourceError};
pub use crate::share::push_group::PushGroup;
