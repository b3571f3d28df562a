//! A race against rsync.
//!
//! Every [`Competitor`] is a shell command. In every [`Scenario`] each of them, one after the
//! other, brings a directory on a server up to date by SSH. All are measured in the same way, and
//! the tree that each leaves is compared with the source. A competitor that leaves a wrong tree is
//! shown as wrong, not as fast.
//!
//! ```text
//! Plan ── race ── Record ──┬── table    80 columns
//!                          ├── page     Markdown
//!                          ├── chart    SVG, light and dark
//!                          └── JSON     a Record again
//! ```
//!
//! Measured are: time from start to end of the command; CPU time of all its processes here, its SSH
//! client included; CPU time and peak memory of its processes on the server, without sshd; TCP
//! payload each way, counted by a forwarder that also is the link. [`race`] runs programs; `record`
//! and `report` only compute. Nothing here prints: a [`Monitor`] receives the progress.

mod competitor;
mod error;
mod file_system;
mod host;
mod listing;
mod machine;
mod measure;
mod measured_link;
mod monitor;
mod placeholders;
mod plan;
mod race;
mod record;
mod report;
mod scenario;
mod server;
mod server_shell;
mod session_usage;
mod sources;

pub use assetsync_link::LinkSpec;
pub use competitor::{Competitor, Role};
pub use error::{Error, Result};
pub use monitor::{Event, Monitor};
pub use plan::Plan;
pub use race::race;
pub use record::{
    Bundle, CompetitorCommand, CompetitorRuns, Machine, Outcome, Race, Record, Run, SCHEMA,
    ScenarioRuns,
};
pub use report::{PageText, chart, page, table};
pub use scenario::Scenario;
pub use session_usage::run_session;
