//! Drafts: what the sender knows about changed files before it asks the destination.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use assetsync_core::index::EntryIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::Rename;
use assetsync_core::recipe::Reference;
use assetsync_regzip as regzip;
use assetsync_rewrite::Rewriter;

use super::contents::read_listed;
use super::exact_diff::PatchOp;
use crate::compare::source_index::SourceIndex;
use crate::scan::source::Source;

/// Approximate size of a copy operation on the wire, in bytes.
const COPY_BYTES: u64 = 6;

/// Drafts of the files that changed.
#[derive(Debug, Default)]
pub struct Drafts {
    /// Renames, in tree order of the new paths.
    pub renames: Vec<(RelPath, Rename)>,
    /// Texts that are rewritten besides the fingerprints of renames.
    pub substitutes: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rewrites old contents; `None` if there is nothing to rewrite.
    pub rewriter: Option<Rewriter>,
    /// Drafts of source files, by position.
    pub files: HashMap<SourceIndex, Draft>,
    /// Source files that are like none of the old contents, all of which were looked at.
    pub unlike: HashSet<SourceIndex>,
    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub regzips: Arc<HashMap<SourceIndex, GzDraft>>,
}

/// How the content of one file can be made from an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// The file at this position of the state equals the content once it is rewritten.
    Rewritten(EntryIndex),
    /// The content, compared with a reference.
    Compared {
        /// The reference.
        reference: Reference,
        /// The differences.
        pieces: Vec<PatchOp>,
    },
}

impl Draft {
    /// Approximate number of bytes to send.
    pub fn bytes(&self) -> u64 {
        let Draft::Compared { pieces, .. } = self else { return 0 };
        let cost = |piece: &PatchOp| match piece {
            PatchOp::Copy { .. } => COPY_BYTES,
            // Compressed with its old surroundings as a prefix.
            PatchOp::New { range, .. } => 2 + range.len() as u64 / 4,
        };
        pieces.iter().map(cost).sum()
    }

    /// Bytes of new content.
    pub fn new_bytes(&self) -> u64 {
        let Draft::Compared { pieces, .. } = self else { return 0 };
        pieces.iter().map(PatchOp::new_bytes).sum()
    }
}

/// A `.gz` that may be made from its plain sibling.
#[derive(Debug)]
pub struct GzDraft {
    /// Position of the plain sibling in the source.
    pub plain: SourceIndex,
    corrections: OnceLock<Option<Vec<u8>>>,
}

impl GzDraft {
    /// A draft that is made from the plain sibling at a position of the source. Nothing is computed
    /// yet.
    pub fn from_plain(plain: SourceIndex) -> GzDraft {
        GzDraft { plain, corrections: OnceLock::new() }
    }

    /// Bytes of the corrections, if they are computed; `None` inside if there are none.
    pub fn correction_bytes(&self) -> Option<Option<u64>> {
        let length = |corrections: &Vec<u8>| corrections.len() as u64;
        self.corrections.get().map(|corrections| corrections.as_ref().map(length))
    }

    /// The corrections that turn the plain sibling into the source file `at`, if there are any. The
    /// first call computes them.
    pub fn corrections(&self, source: &Source, at: SourceIndex) -> Option<&[u8]> {
        self.corrections.get_or_init(|| split_gz(source, at, self.plain)).as_deref()
    }
}

fn split_gz(source: &Source, at: SourceIndex, plain: SourceIndex) -> Option<Vec<u8>> {
    let entries = source.hashed().ok()?;
    let content = |at: SourceIndex| read_listed(source, at.of(entries)?);
    regzip::split(&content(at)?, &content(plain)?)
}
