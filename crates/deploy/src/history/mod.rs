//! The history of deploys, as it is kept on each host, and its consequences: which old files are
//! retained, what a rollback needs, and what is live.
//!
//! ```text
//! bytes -> decode -> History -> retention, rollback, status
//!                    History + new deploy -> Step -> bytes to append
//! ```
//!
//! All functions here are pure: their inputs are the history, the entries of the destination, the
//! wanted tree and the time. Nothing reads a file or a clock, and nothing deletes.
//!
//! A deploy is *kept* while the [`RetentionPolicy`] protects the files it used; a file is
//! *retained* if it is not wanted any more but stays; a file is *unmanaged* if no deploy put it
//! there; content is *retained* if publishing would lose it and a rollback needs it.

mod append;
mod clock;
mod codec;
mod contents_to_retain;
mod decoder;
mod deploys;
mod destination_state;
#[cfg(test)]
pub(crate) mod fixtures;
mod id;
pub mod limits;
mod policy;
#[cfg(test)]
mod properties;
mod retention;
mod rollback;
mod siblings;
mod status;
mod tree;

pub use clock::Clocks;
pub use contents_to_retain::{contents_to_retain, outdated};
pub use decoder::{Decoded, decode};
pub use deploys::{Deploy, History, Origin};
pub use id::DeployId;
pub use policy::{Delete, RetentionPolicy, UnmanagedFiles};
pub use retention::{Retention, retention};
pub use rollback::{RollbackTo, find, missing};
pub use siblings::competing_manifests;
pub use status::{Drift, status};
pub use tree::{Content, FileAttributes, HistoryFile, Tree};

/// Why a history can't be read, or not be continued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Not a history at all.
    #[error("This is no history of deploys")]
    Magic,
    /// Written by a later version.
    #[error("History of deploys has format {0}, this version reads format 1")]
    Format(char),
    /// The checksum of a part is wrong.
    #[error("History of deploys is damaged: the checksum is wrong")]
    Checksum,
    /// A part can't be decompressed to the size it names.
    #[error("History of deploys is damaged: it can't be decompressed")]
    Compression,
    /// A part can't be decoded.
    #[error("History of deploys is damaged: {0}")]
    Decode(#[from] assetsync_core::protocol::DecodeError),
    /// Two files at one path, or a file below another.
    #[error("Tree has two files at or below '{0}'")]
    Clash(String),
    /// Two deploys of one id.
    #[error("Deploy {0} is in the history already")]
    Repeated(DeployId),
    /// More than a history may hold.
    #[error("History of deploys is too large: more than {limit} {what}")]
    TooLarge {
        /// The counted things.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
}

fn too_few(asked: u32, available: u32) -> String {
    match available {
        0 => "No earlier deploy is kept here".into(),
        1 => format!("Only 1 earlier deploy is kept here, and {asked} back were asked for"),
        _ => format!(
            "Only {available} earlier deploys are kept here, and {asked} back were asked for"
        ),
    }
}

/// Why there is nothing to roll back to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollbackError {
    /// No deploy yet.
    #[error("Nothing was deployed here yet")]
    NoDeploys,
    /// Fewer different deploys than were asked for.
    #[error("{}", too_few(*.asked, *.available))]
    TooFew {
        /// How many steps back were asked for.
        asked: u32,
        /// The number of all targets.
        available: u32,
    },
    /// No such id.
    #[error("No deploy has an id that begins with '{0}'")]
    Unknown(String),
    /// The beginning of several ids.
    #[error("{count} deploys have ids that begin with '{id}'")]
    Ambiguous {
        /// The given text.
        id: String,
        /// How many deploys it may mean.
        count: usize,
    },
}
