//! The plan: what a push does to a destination, as a value.
//!
//! It is computed by [`assetsync_sync::plan::planner`] from the local tree and the remote [`State`](crate::state::State)
//! alone. `--dry-run` prints it, tests compare it, the agent (or the SFTP executor) carries it out.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::entry::Mtime;
use crate::path::RelPath;
use crate::recipe::{Basis, Recipe, Reference};

/// Actions in tree order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The actions. Recipes name each other by position here.
    pub actions: Vec<Action>,
    /// Files that stay as they are; they have no action.
    pub kept_files: u64,
    /// Bytes of content of the files that stay.
    pub kept_bytes: u64,
    /// New paths that succeed old ones, in tree order of the new ones.
    pub renames: Vec<(RelPath, Rename)>,
}

impl Plan {
    /// The new spellings of what stands under others.
    pub fn respelled(&self) -> HashSet<&RelPath> {
        let to = |action| match action {
            &Action { what: ActionKind::Respell { ref to }, .. } => Some(to),
            _ => None,
        };
        self.actions.iter().filter_map(to).collect()
    }

    /// The actions as they travel.
    pub fn wire_actions(&self) -> impl Iterator<Item = WireAction> {
        let mut renames = self.renames.iter().enumerate().peekable();
        self.actions.iter().map(move |action| {
            while renames.next_if(|(_, (path, _))| *path < action.path).is_some() {}
            let renamed = renames.next_if(|(_, (path, _))| *path == action.path);
            let place = match (action.known, renamed) {
                (Some(known), _) => ActionPath::Existing(known),
                (None, Some((at, _))) => ActionPath::Renamed(at as u32),
                (None, None) => ActionPath::New(action.path.clone()),
            };
            WireAction { place, what: action.what.clone() }
        })
    }
}

/// One path and what shall stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Where.
    pub path: RelPath,
    /// Position of the same path in the [`State`](crate::state::State), if something stands there already.
    pub known: Option<u32>,
    /// What.
    pub what: ActionKind,
}

/// What shall stand at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// A directory with these permission bits.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// The link's text.
        target: Vec<u8>,
        /// Last modification.
        mtime: Mtime,
    },
    /// A regular file.
    File(FileAction),
    /// Nothing: what stands there is deleted.
    Delete,
    /// Nothing, but only when the agent is told to prune; until then what stands there stays.
    Prune,
    /// The same thing under another spelling, which is the same name to the destination's file system.
    Respell {
        /// The path as the source spells it.
        to: RelPath,
    },
}

/// How a regular file comes to stand at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAction {
    /// Bytes of content.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last modification.
    pub mtime: Mtime,
    /// Digest of the content: what is staged must have it. `None` where no content is made.
    pub digest: Option<Digest>,
    /// The way there.
    pub recipe: Recipe,
    /// Published after all ordinary files, because it names them.
    pub entry_point: bool,
}

/// An action as it travels: what the agent knows by position is not spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireAction {
    /// Where.
    pub place: ActionPath,
    /// What.
    pub what: ActionKind,
}

/// A path, or the position of one that both sides know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionPath {
    /// A path where nothing stands yet.
    New(RelPath),
    /// The path at this position of the [`State`](crate::state::State).
    Existing(u32),
    /// The new path of the [`Rename`] at this position of the push's list.
    Renamed(u32),
}

/// A piece of a ground that a zstd frame has in its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixPart {
    /// Of which file.
    pub reference: Reference,
    /// First byte in it.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// A path that succeeds another: the same logical file under a new fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Position of the old path in the [`State`](crate::state::State).
    pub known: u32,
    /// Where in the old path the fingerprint starts, in bytes.
    pub start: u16,
    /// How long it is there, in bytes.
    pub length: u8,
    /// The new fingerprint.
    pub new: Vec<u8>,
}

impl Rename {
    /// The old fingerprint, if `path` has one where this says.
    pub fn old<'p>(&self, path: &'p RelPath) -> Option<&'p [u8]> {
        path.as_bytes().get(self.range())
    }

    /// The path that succeeds `path`, if that is a path and the fingerprint is where this says.
    pub fn renamed_path(&self, path: &RelPath) -> Option<RelPath> {
        let (bytes, range) = (path.as_bytes(), self.range());
        let (before, after) = (bytes.get(..range.start)?, bytes.get(range.end..)?);
        RelPath::new(&[before, &self.new, after].concat()).ok()
    }

    fn range(&self) -> std::ops::Range<usize> {
        usize::from(self.start)..usize::from(self.start) + usize::from(self.length)
    }
}

impl Action {
    /// The file, if the action makes one stand at its path.
    pub fn file(&self) -> Option<&FileAction> {
        match &self.what {
            ActionKind::File(file) => Some(file),
            _ => None,
        }
    }
}

impl FileAction {
    /// Bytes that staging the file takes at the destination, beyond what is there.
    pub fn staged_bytes(&self) -> u64 {
        match self.recipe {
            Recipe::Keep | Recipe::Touch | Recipe::Copy { from: Basis::Partial(_) } => 0,
            _ => self.size,
        }
    }
}
