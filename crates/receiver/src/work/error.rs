//! The errors of opening a work directory.

use std::io;
use std::path::PathBuf;

use assetsync_core::text;

/// Why there is no work directory.
#[derive(Debug, thiserror::Error)]
pub enum WorkDirError {
    /// Another push has locked it.
    #[error("Another push to this destination is running ({holder}); try again when it has ended")]
    Locked {
        /// The other push's name, process and age.
        holder: String,
        /// The other push, if it is of the same run.
        member: Option<u32>,
    },
    /// It belongs to another user.
    #[error(
        "{work} belongs to user {owner}, and is not open to all who may write the destination; let \
         user {owner} push once with this version, or run as root: \
         chown -R --reference={destination} {work}",
        work = text::path(.path), destination = text::path(.destination)
    )]
    OtherOwner {
        /// The directory.
        path: PathBuf,
        /// The destination.
        destination: PathBuf,
        /// Its owner's user id.
        owner: u32,
    },
    /// An I/O error.
    #[error("Can't use {}: {source}", text::path(.path))]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
