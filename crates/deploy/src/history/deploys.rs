//! The deploys of one destination, oldest first, and which versions of files each used.
//!
//! A version of a file (a path and its content) is kept once, with the first and last deploy of an
//! unbroken series that used it. So a hundred deploys that share most of their files cost little
//! more than one.

use assetsync_core::path::RelPath;

use super::id::DeployId;
use super::tree::{Content, FileAttributes, HistoryFile, Tree};

/// One deploy, beside its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// Its name, the same on all hosts; it holds the sender's clock.
    pub id: DeployId,
    /// The host's clock when it was published there: seconds since 1970, UTC.
    pub published: i64,
    /// Its user, host and program.
    pub origin: Origin,
    /// The deploy that it restored, if it is a rollback.
    pub restores: Option<DeployId>,
}

/// The user, host and program of a deploy: each text at most 256 bytes, longer ones are cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The user at the sender.
    pub user: String,
    /// The sender's name for itself.
    pub host: String,
    /// The tool and its version.
    pub tool: String,
    /// The git revision that was built, with `-dirty` if anything was changed; empty if not known.
    pub revision: String,
}

/// What separates the revision from the tool in the bytes of a history, which have one text for
/// both: versions without revisions read it as part of the tool.
const GIT: &str = " git:";

impl Origin {
    /// Tool and revision as one text.
    pub(super) fn tool_text(&self) -> String {
        match self.revision.as_str() {
            "" => self.tool.clone(),
            revision => format!("{}{GIT}{revision}", self.tool),
        }
    }

    /// The origin whose tool and revision are this text.
    pub(super) fn with_tool_text(user: String, host: String, text: &str) -> Origin {
        let (tool, revision) = text.rsplit_once(GIT).unwrap_or((text, ""));
        Origin { user, host, tool: tool.to_owned(), revision: revision.to_owned() }
    }
}

/// One version of a file and the unbroken series of deploys that used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VersionSpan {
    pub(super) path: RelPath,
    pub(super) content: Content,
    pub(super) first: u32,
    pub(super) last: u32,
    /// Which stamp it had from which deploy on, from `first`.
    pub(super) attributes_since: Vec<(u32, FileAttributes)>,
}

/// All that is known of the deploys to one destination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub(super) deploys: Vec<Deploy>,
    /// By path, then by `first`.
    pub(super) spans: Vec<VersionSpan>,
    /// Paths that only forgotten deploys used, and that still stood when those were forgotten. In
    /// tree order.
    pub(super) orphans: Vec<RelPath>,
}

impl VersionSpan {
    fn stamp_at(&self, deploy: u32) -> FileAttributes {
        let after = self.attributes_since.partition_point(|(from, _)| *from <= deploy);
        after.checked_sub(1).map_or_else(FileAttributes::default, |at| self.attributes_since[at].1)
    }

    pub(super) fn covers(&self, deploy: u32) -> bool {
        (self.first..=self.last).contains(&deploy)
    }
}

impl History {
    /// A history without deploys.
    pub fn new() -> History {
        History::default()
    }

    /// The deploys, oldest first. All other methods name a deploy by its position here.
    pub fn deploys(&self) -> &[Deploy] {
        &self.deploys
    }

    /// The position of the deploy that is live: the newest.
    pub fn live(&self) -> Option<usize> {
        self.deploys.len().checked_sub(1)
    }

    /// The tree that a deploy made live; empty for a position that there isn't.
    pub fn tree(&self, deploy: usize) -> Tree {
        let deploy = position(deploy);
        let files = self.spans.iter().filter(|span| span.covers(deploy)).map(|span| HistoryFile {
            path: span.path.clone(),
            content: span.content.clone(),
            attributes: span.stamp_at(deploy),
        });
        // Every step into a history has checked the tree it makes.
        Tree::of_sorted(files.collect())
    }

    /// The last deploy that used `path`, whatever its content.
    pub fn last_use(&self, path: &RelPath) -> Option<usize> {
        self.versions(path).iter().map(|span| span.last as usize).max()
    }

    /// The content that `path` had in a deploy.
    pub(super) fn content_at(&self, path: &RelPath, deploy: usize) -> Option<&Content> {
        let covering = |span: &&VersionSpan| span.covers(position(deploy));
        self.versions(path).iter().find(covering).map(|span| &span.content)
    }

    /// All versions of `path`, oldest first.
    pub(super) fn versions(&self, path: &RelPath) -> &[VersionSpan] {
        let start = self.spans.partition_point(|span| span.path < *path);
        let count = self.spans[start..].partition_point(|span| span.path == *path);
        &self.spans[start..start + count]
    }

    /// For every deploy, whether it used other content than the one before it. Times and
    /// permissions don't count: a deploy that is repeated from a fresh checkout is the same one.
    pub(super) fn differs_from_previous(&self) -> Vec<bool> {
        let mut differs = vec![false; self.deploys.len() + 1];
        for span in &self.spans {
            differs[span.first as usize] = true;
            differs[span.last as usize + 1] = true;
        }
        differs.truncate(self.deploys.len());
        differs
    }
}

/// A deploy's position as spans keep it. There are at most [`DEPLOYS`](super::limits::DEPLOYS).
pub(super) fn position(deploy: usize) -> u32 {
    u32::try_from(deploy).unwrap_or(u32::MAX)
}
