//! The passes over a plan when it is published.

use assetsync_core::index::{ActionIndex, Index};
use assetsync_core::plan::PublishRank;

/// The passes over the plan, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Respell,
    Dirs,
    Fingerprinted,
    Ordinary,
    Naming,
    ServiceWorkers,
    Deletes,
    DirModes,
}

impl Pass {
    pub(super) const ALL: [Pass; 8] = [
        Pass::Respell,
        Pass::Dirs,
        Pass::Fingerprinted,
        Pass::Ordinary,
        Pass::Naming,
        Pass::ServiceWorkers,
        Pass::Deletes,
        Pass::DirModes,
    ];

    /// The pass that publishes files of a rank.
    pub(super) fn of(rank: PublishRank) -> Pass {
        match rank {
            PublishRank::Fingerprinted => Pass::Fingerprinted,
            PublishRank::Ordinary => Pass::Ordinary,
            PublishRank::Naming => Pass::Naming,
            PublishRank::ServiceWorker => Pass::ServiceWorkers,
        }
    }

    /// The index of the `nth` action of `count` in this pass.
    pub(super) fn index(self, nth: u32, count: u32) -> ActionIndex {
        Index::new(match self {
            // The deepest paths first.
            Pass::Respell | Pass::Deletes | Pass::DirModes => count - 1 - nth,
            _ => nth,
        })
    }
}

/// How far publishing has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Actions that were begun in each pass.
    pub begun: [u32; Pass::ALL.len()],
    /// The action that failed.
    pub failed: Option<ActionIndex>,
}
