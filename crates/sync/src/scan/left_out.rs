//! Paths of the source that are not pushed. The user is informed of them.

use std::fmt;

use assetsync_core::path::RelPath;

/// A path of the source that is not pushed, though no filter excludes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The path. Nothing below a directory is pushed either.
    pub path: RelPath,
    /// Why.
    pub why: Why,
}

/// Why a path is not pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A FIFO, socket or device: never opened.
    Special,
    /// A name reserved for work directories.
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
