//! The sender: scans the source, compares, plans, encodes. It runs where there is memory.

mod basis;
mod decision;
pub mod drafts;
mod effort;
mod encode;
mod error;
mod groups;
mod memory;
mod monitor;
mod outcome;
mod patching;
pub mod planner;
mod push;
mod regzips;
pub mod renames;
mod report;
mod session;
mod source;
mod staged;
mod survey;
mod wire;

pub use self::decision::{Decide, Decision, Deletes, HistoryEdit, When};
pub use self::error::PushError;
pub use self::monitor::{Event, Monitor, Silent};
pub use self::planner::{Answers, Comparison, Policy};
pub use self::push::{Options, push};
pub(crate) use self::push::{check_deletes, check_source};
pub use self::report::{Count, Report};
pub(crate) use self::session::nonce;
pub use self::session::{Connection, Materials, Session};
pub(crate) use self::source::read_again;
pub use self::source::{Source, SourceError, Unreadable};
pub use self::staged::{Live, Staged, stage};
pub use self::survey::{Known, Survey, survey};
pub(crate) use self::wire::Rate;
