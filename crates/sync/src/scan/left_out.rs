//! What a source holds and a push does not carry, which the user is told.

use std::fmt;

use assetsync_core::path::RelPath;

/// A path of the source that is not carried, though no filter leaves it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The path; of a directory nothing below is carried either.
    pub path: RelPath,
    /// Why.
    pub why: Why,
}

/// Why a path is not carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A FIFO, socket or device: never opened.
    Special,
    /// A name that work directories have.
    Reserved,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftOut { path, why } = self;
        match why {
            Why::Special => write!(f, "{path} is a FIFO, socket or device and is not carried"),
            Why::Reserved => write!(
                f,
                "{path} is not carried: .assetsync and .assetsync-* are names of assetsync's work directories"
            ),
        }
    }
}
