//! The plan: what a push does to a destination, as a value.
//!
//! The sender computes it from the local tree and the remote [`State`](crate::state::State) alone.
//! `--dry-run` prints it, tests compare it, the agent (or the SFTP transport) carries it out.

use std::collections::HashSet;

use crate::digest::Digest;
use crate::entry::Mtime;
use crate::index::{ActionList, EntryIndex, Index, Indices, Listed, RenameIndex, RenameList};
use crate::path::RelPath;
use crate::recipe::{Basis, Recipe, Reference};

/// Actions in tree order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The actions. Recipes name other actions by their index here.
    pub actions: Vec<Action>,
    /// Number of files that are up to date; they have no action.
    pub kept_files: u64,
    /// Bytes of content of the files that are up to date.
    pub kept_bytes: u64,
    /// The renames, in tree order of the new paths.
    pub renames: Vec<(RelPath, Rename)>,
}

impl Plan {
    /// The indices of all actions.
    pub fn indices(&self) -> Indices<ActionList> {
        Index::range(0..self.actions.len() as u32)
    }

    /// The new spellings of paths that the destination spells differently.
    pub fn respelled(&self) -> HashSet<&RelPath> {
        let to = |action| match action {
            &Action { what: ActionKind::Respell { ref to }, .. } => Some(to),
            _ => None,
        };
        self.actions.iter().filter_map(to).collect()
    }

    /// The wire actions.
    pub fn wire_actions(&self) -> impl Iterator<Item = WireAction> {
        let mut renames = Index::enumerate(&self.renames).peekable();
        self.actions.iter().map(move |action| {
            while renames.next_if(|(_, (path, _))| *path < action.path).is_some() {}
            let renamed = renames.next_if(|(_, (path, _))| *path == action.path);
            let place = match (action.known, renamed) {
                (Some(known), _) => ActionPath::Existing(known),
                (None, Some((at, _))) => ActionPath::Renamed(at),
                (None, None) => ActionPath::New(action.path.clone()),
            };
            WireAction { place, what: action.what.clone() }
        })
    }
}

/// One path and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The path.
    pub path: RelPath,
    /// Index of the same path in the [`State`](crate::state::State), if the destination has it.
    pub known: Option<EntryIndex>,
    /// The action.
    pub what: ActionKind,
}

impl Listed for Action {
    type List = ActionList;
}

/// An action, without its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// Create a directory, or set its permission bits.
    Dir {
        /// Permission bits.
        mode: u32,
    },
    /// Create or replace a symlink.
    Symlink {
        /// The target.
        target: Vec<u8>,
        /// Last modification.
        mtime: Mtime,
    },
    /// Create, replace or touch a regular file.
    File(FileAction),
    /// Delete the entry.
    Delete,
    /// Delete the entry when pruning.
    Prune,
    /// Rename the entry to another spelling, which is the same name to the destination's file
    /// system.
    Respell {
        /// The source's spelling of the path.
        to: RelPath,
    },
}

/// The action on a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAction {
    /// Bytes of content.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last modification.
    pub mtime: Mtime,
    /// Digest of the content, which the staged file must have. `None` if no content is made.
    pub digest: Option<Digest>,
    /// How the content gets there.
    pub recipe: Recipe,
    /// When it is published.
    pub rank: PublishRank,
}

/// When a file is published: all files of a rank are, before any of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PublishRank {
    /// A file whose name has a fingerprint: whoever uses it found the name in another file.
    Fingerprinted,
    /// Any other part of a page, as a script or an image.
    Ordinary,
    /// A page, a manifest: it names other files, and is found without them.
    Naming,
    /// A service worker: it keeps what it names, pages too.
    ServiceWorker,
}

impl PublishRank {
    /// All, in their order.
    pub const ALL: [PublishRank; 4] = [
        PublishRank::Fingerprinted,
        PublishRank::Ordinary,
        PublishRank::Naming,
        PublishRank::ServiceWorker,
    ];

    /// Whether it names other files, and so is published after them.
    pub fn is_entry_point(self) -> bool {
        self >= PublishRank::Naming
    }
}

/// An action on the wire: an index replaces a path that both sides have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireAction {
    /// The path.
    pub place: ActionPath,
    /// The action.
    pub what: ActionKind,
}

impl Listed for WireAction {
    type List = ActionList;
}

/// A path, or the index of one that both sides have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionPath {
    /// A path that the destination does not have.
    New(RelPath),
    /// The path with this index in the [`State`](crate::state::State).
    Existing(EntryIndex),
    /// The new path of the [`Rename`] with this index.
    Renamed(RenameIndex),
}

/// A range of a reference that a zstd frame has in its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixPart {
    /// The reference.
    pub reference: Reference,
    /// First byte in it.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

/// A new path that is an old one with another fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Index of the old path in the [`State`](crate::state::State).
    pub known: EntryIndex,
    /// Start of the fingerprint in the old path, in bytes.
    pub start: u16,
    /// Its length there, in bytes.
    pub length: u8,
    /// The new fingerprint.
    pub new: Vec<u8>,
}

impl Listed for Rename {
    type List = RenameList;
}

/// Pairs of a new path and how it comes from an old one.
impl Listed for (RelPath, Rename) {
    type List = RenameList;
}

impl Rename {
    /// The old fingerprint, if it is within a name of `path`.
    pub fn old<'p>(&self, path: &'p RelPath) -> Option<&'p [u8]> {
        path.as_bytes().get(self.range())
    }

    /// The new path of `path`, if it is a path and the fingerprint is within a name.
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
    /// The file action, if this is one.
    pub fn file(&self) -> Option<&FileAction> {
        match &self.what {
            ActionKind::File(file) => Some(file),
            _ => None,
        }
    }
}

impl FileAction {
    /// Bytes that staging the file takes at the destination; a partial takes none.
    pub fn staged_bytes(&self) -> u64 {
        match self.recipe {
            Recipe::Keep | Recipe::Touch | Recipe::Copy { from: Basis::Partial(_) } => 0,
            _ => self.size,
        }
    }
}
