//! How much content is left to compress in the stream.
//!
//! Of a file that is sent whole, all of it. How much of a delta is new is known only once its basis
//! has been searched, so what the first deltas were like is expected of the others.

use assetsync_core::plan::{Action, Plan};
use assetsync_core::recipe::Recipe;

use super::file_reader::FilePiece;
use crate::scan::compressed_names::is_precompressed;

/// One byte of so many is expected to be new in a delta, until some are known.
const BYTES_PER_NEW_BYTE: u64 = 8;

/// Deltas of so much content, in bytes, say what the others are like.
const SAMPLE_BYTES: u64 = 256 * 1024;

/// What is left of the content of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentLeft {
    /// Bytes of files that are sent whole.
    whole: u64,
    /// Bytes of files that are sent as deltas.
    of_deltas: u64,
    /// Bytes of such files so far, and how many of those were new.
    covered: u64,
    new: u64,
    /// Bytes to compress before more is found out than was expected.
    expected: u64,
    /// Bytes compressed so far.
    compressed: u64,
}

/// What was found out about the content that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// How much of deltas is new. It is found out once.
    NewInDeltas,
    /// There is more to compress than was expected.
    MoreContent,
}

impl ContentLeft {
    /// All content of `plan` that is compressed in the stream.
    pub fn of(plan: &Plan) -> ContentLeft {
        let mut left = ContentLeft::default();
        for action in &plan.actions {
            let size = action.file().map_or(0, |file| file.size);
            if let Some(bytes) = left.kind_of(action) {
                *bytes += size;
            }
        }
        left.expected = left.bytes();
        left
    }

    /// The bytes that the file of an action belongs to, if they are compressed in the stream.
    fn kind_of(&mut self, action: &Action) -> Option<&mut u64> {
        match action.file()?.recipe {
            Recipe::Whole if is_precompressed(action.path.as_bytes()) => None,
            Recipe::Whole => Some(&mut self.whole),
            Recipe::Delta { .. } => Some(&mut self.of_deltas),
            _ => None,
        }
    }

    /// Subtracts a piece of the file of an action. Returns what is found out by it.
    pub fn subtract(&mut self, action: &Action, piece: &FilePiece) -> Option<Finding> {
        let bytes = self.kind_of(action)?;
        *bytes = bytes.saturating_sub(piece.covered);
        let (new, was_known) = (piece.literal_bytes(), self.covered >= SAMPLE_BYTES);
        self.compressed += new;
        if action.file().is_some_and(|file| matches!(file.recipe, Recipe::Delta { .. })) {
            self.covered += piece.covered;
            self.new += new;
        }
        let found = match self.expected.checked_sub(new) {
            _ if !was_known && self.covered >= SAMPLE_BYTES => Finding::NewInDeltas,
            Some(expected) => {
                self.expected = expected;
                return None;
            }
            None => Finding::MoreContent,
        };
        self.expected = self.bytes();
        Some(found)
    }

    /// Bytes that were compressed so far.
    pub fn compressed(&self) -> u64 {
        self.compressed
    }

    /// Approximate number of bytes to compress.
    pub fn bytes(&self) -> u64 {
        let (new, covered) = match self.covered {
            SAMPLE_BYTES.. => (self.new, self.covered),
            _ => (1, BYTES_PER_NEW_BYTE),
        };
        let of_deltas = u128::from(self.of_deltas) * u128::from(new) / u128::from(covered);
        self.whole.saturating_add(of_deltas as u64)
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::Digest;
    use assetsync_core::entry::Mtime;
    use assetsync_core::index::{ActionIndex, EntryIndex};
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::{ActionKind, FileAction, PublishRank};
    use assetsync_core::recipe::{Basis, Reference};

    use super::*;
    use crate::encode::file_reader::Part;

    fn action(path: &[u8], recipe: Recipe, size: u64) -> Action {
        let digest = Some(Digest::of(path));
        let (mode, mtime, rank) = (0o644, Mtime::default(), PublishRank::Ordinary);
        let what = ActionKind::File(FileAction { recipe, size, mode, mtime, digest, rank });
        Action { path: RelPath::new(path).unwrap(), known: None, what }
    }

    fn piece(covered: u64, new: usize) -> FilePiece {
        let (parts, bytes) = (vec![Part::Literal(new)], vec![0; new]);
        let position = ActionIndex::new(0);
        FilePiece { position, is_first: true, parts, bytes, covered, end: None }
    }

    #[test]
    fn deltas_are_expected_to_be_like_the_first_ones() {
        let basis = Basis::Existing(EntryIndex::new(0));
        let reference = Reference { basis, rewritten: false };
        let delta = Recipe::Delta { reference, block_bytes: 1024 };
        let actions = vec![
            action(b"app.js", Recipe::Whole, 1000),
            action(b"logo.png", Recipe::Whole, 1 << 30),
            action(b"vendor.js", delta, 8 << 20),
        ];
        let plan = Plan { actions: actions.clone(), ..Plan::default() };
        let mut left = ContentLeft::of(&plan);
        assert_eq!(left.bytes(), 1000 + (1 << 20));
        assert_eq!(left.subtract(&actions[0], &piece(400, 400)), None);
        assert_eq!(left.subtract(&actions[1], &piece(4000, 4000)), None);
        assert_eq!(left.subtract(&actions[2], &piece(1000, 1000)), None, "too few to tell");
        assert_eq!(left.bytes(), 600 + (8_388_608 - 1000) / 8);
        let half = piece(4_194_304 - 1000, 1_048_576 - 1000);
        assert_eq!(left.subtract(&actions[2], &half), Some(Finding::NewInDeltas));
        assert_eq!(left.bytes(), 600 + 1_048_576);
        assert_eq!(left.subtract(&actions[2], &piece(1_048_576, 1_048_576)), None);
        assert_eq!(
            left.subtract(&actions[2], &piece(1_048_576, 1_048_576)),
            Some(Finding::MoreContent)
        );
        assert_eq!(left.bytes(), 600 + 1_048_576);
    }
}
