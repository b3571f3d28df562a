//! Reads the files whose content is sent, a piece at a time, and finds what their bases have of it.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use assetsync_core::delta::Signature;
use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, FileAction};
use assetsync_core::recipe::{Basis, Recipe};

use super::delta::{Matcher, Op, Search};
use crate::compare::answers::{Answer, Answers};
use crate::scan::compressed_names::is_precompressed;
use crate::scan::source_tree::SourceTree;

/// How much of a file is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// How much of a file is matched at a time, in bytes; more than the largest block.
const MATCH_BYTES: usize = 4 << 20;

/// Reads source files.
pub struct FileReader<'a> {
    /// The source.
    pub tree: &'a mut SourceTree,
    /// Signatures of bases.
    pub answers: &'a Answers,
    /// Whether the line carries bytes sooner than a thorough search finds out which of them need
    /// not be sent. It may change while files are read.
    pub is_line_quick: &'a AtomicBool,
}

/// A piece of what is sent for a file, all of it for a small one.
#[derive(Debug)]
pub struct FilePiece {
    /// Position of the file's action in the plan.
    pub position: ActionIndex,
    /// Whether it is the first one.
    pub is_first: bool,
    /// What the content is made of, in order.
    pub parts: Vec<Part>,
    /// The bytes of all literals and stored bytes in `parts`.
    pub bytes: Vec<u8>,
    /// Bytes of the file's content.
    pub covered: u64,
    /// What was found at the end of the file, in the last piece.
    pub end: Option<FileEnd>,
}

/// A part of the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// So many bytes that the basis does not have.
    Literal(usize),
    /// So many bytes that are not compressed again.
    Stored(usize),
    /// A range of the basis.
    Copy {
        /// First byte in the basis.
        offset: u64,
        /// Bytes.
        length: u64,
    },
}

/// What was found when a file had been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEnd {
    /// It is as planned; of a delta so many bytes are new.
    AsPlanned {
        /// Bytes of new content of a delta.
        new_bytes: Option<u64>,
    },
    /// It is no longer as planned, or can't be read.
    Changed,
}

impl FileReader<'_> {
    /// Reads the file of an action by its recipe, and gives its pieces to `emit` until that fails.
    pub fn read<E>(
        &mut self,
        position: ActionIndex,
        action: &Action,
        emit: &mut dyn FnMut(FilePiece) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(file) = action.file() else { return Ok(()) };
        let Some(signature) = signature_of(self.answers, file) else {
            return read_whole(self.tree, position, action, emit);
        };
        let pieces = Pieces::new(position, emit);
        let opened = self.tree.open_file(&action.path);
        pieces.end_with(opened, file, |source, pieces| self.find(source, signature, pieces))
    }

    /// Finds what of a file its basis has. Returns how many bytes it does not have.
    fn find<E>(
        &self,
        source: &mut HashingReader,
        signature: &Signature,
        pieces: &mut Pieces<'_, E>,
    ) -> Result<io::Result<Option<u64>>, E> {
        let mut matcher = Matcher::new(signature);
        let (mut buffer, mut new_bytes) = (Vec::new(), 0);
        loop {
            let before = buffer.len();
            let want = MATCH_BYTES.min(before + source.left as usize);
            buffer.resize(want.max(before), 0);
            if let Err(error) = source.read_exact(&mut buffer[before..]) {
                return Ok(Err(error));
            }
            let (last, piece) = (source.left == 0, pieces.next()?);
            let covered = matcher.scan(&buffer, last, self.search(), &mut |op| {
                new_bytes += op.new_bytes();
                piece.push(op);
            });
            piece.covered = covered as u64;
            buffer.drain(..covered);
            if last {
                return Ok(Ok(Some(new_bytes)));
            }
        }
    }

    fn search(&self) -> Search {
        match self.is_line_quick.load(Ordering::Relaxed) {
            true => Search::Quick,
            false => Search::Thorough,
        }
    }
}

/// Reads the whole file of an action, as [`FileReader::read`] does.
pub fn read_whole<E>(
    tree: &mut SourceTree,
    position: ActionIndex,
    action: &Action,
    emit: &mut dyn FnMut(FilePiece) -> Result<(), E>,
) -> Result<(), E> {
    let Some(file) = action.file() else { return Ok(()) };
    let is_stored = is_precompressed(action.path.as_bytes());
    let pieces = Pieces::new(position, emit);
    pieces.end_with(tree.open_file(&action.path), file, |source, pieces| {
        loop {
            let mut bytes = vec![0; READ_BYTES.min(source.left as usize + 1)];
            match source.read(&mut bytes) {
                Ok(0) => return Ok(Ok(None)),
                Ok(count) => bytes.truncate(count),
                Err(error) => return Ok(Err(error)),
            }
            let (piece, length) = (pieces.next()?, bytes.len());
            piece.parts.push(if is_stored { Part::Stored(length) } else { Part::Literal(length) });
            (piece.bytes, piece.covered) = (bytes, length as u64);
        }
    })
}

/// The signature of the basis of a delta.
fn signature_of<'a>(answers: &'a Answers, file: &FileAction) -> Option<&'a Signature> {
    let Recipe::Delta { reference, .. } = file.recipe else { return None };
    let Basis::Existing(known) = reference.basis else { return None };
    match answers.get(&known) {
        Some(Answer::Signed(signature)) => Some(signature),
        _ => None,
    }
}

impl FilePiece {
    /// Bytes of new content that are compressed.
    pub fn literal_bytes(&self) -> u64 {
        let lengths = self.parts.iter().map(|part| match part {
            Part::Literal(length) => *length as u64,
            Part::Stored(_) | Part::Copy { .. } => 0,
        });
        lengths.sum()
    }

    fn new(position: ActionIndex, is_first: bool) -> FilePiece {
        let (parts, bytes, covered, end) = (Vec::new(), Vec::new(), 0, None);
        FilePiece { position, is_first, parts, bytes, covered, end }
    }

    fn push(&mut self, op: Op<'_>) {
        match op {
            Op::Literal(bytes) => {
                self.parts.push(Part::Literal(bytes.len()));
                self.bytes.extend_from_slice(bytes);
            }
            Op::Copy { offset, length } => self.parts.push(Part::Copy { offset, length }),
        }
    }
}

/// The pieces of a file, each emitted when the next one begins, or at the end.
struct Pieces<'e, E> {
    piece: FilePiece,
    emit: &'e mut dyn FnMut(FilePiece) -> Result<(), E>,
}

impl<'e, E> Pieces<'e, E> {
    fn new(
        position: ActionIndex,
        emit: &'e mut dyn FnMut(FilePiece) -> Result<(), E>,
    ) -> Pieces<'e, E> {
        Pieces { piece: FilePiece::new(position, true), emit }
    }

    /// The next piece, to be filled.
    fn next(&mut self) -> Result<&mut FilePiece, E> {
        if self.piece.covered > 0 {
            let next = FilePiece::new(self.piece.position, false);
            (self.emit)(std::mem::replace(&mut self.piece, next))?;
        }
        Ok(&mut self.piece)
    }

    /// Reads all pieces with `read`, which returns how many bytes of a delta are new, and emits the
    /// last one.
    fn end_with(
        mut self,
        opened: io::Result<File>,
        file: &FileAction,
        read: impl FnOnce(&mut HashingReader, &mut Self) -> Result<io::Result<Option<u64>>, E>,
    ) -> Result<(), E> {
        self.piece.end = Some(FileEnd::Changed);
        if let Ok(opened) = opened {
            let mut source = HashingReader::new(opened, file.size);
            self.piece.end = None;
            let read = read(&mut source, &mut self)?;
            self.piece.end = Some(match read {
                Ok(new_bytes) if source.matches_plan(file) => FileEnd::AsPlanned { new_bytes },
                _ => FileEnd::Changed,
            });
        }
        (self.emit)(self.piece)
    }
}

/// A source file that is hashed while it is read, no further than its planned size.
struct HashingReader {
    file: File,
    hasher: blake3::Hasher,
    /// Bytes of the planned size not read yet.
    left: u64,
}

impl HashingReader {
    fn new(file: File, size: u64) -> HashingReader {
        HashingReader { file, hasher: blake3::Hasher::new(), left: size }
    }

    /// Whether what was read is what was planned; a file that has grown is not.
    fn matches_plan(&mut self, file: &FileAction) -> bool {
        let digest = self.hasher.finalize();
        let grown = self.file.read(&mut [0]).map_or(true, |count| count > 0);
        self.left == 0
            && !grown
            && file.digest.is_some_and(|planned| planned.0 == *digest.as_bytes())
    }
}

impl Read for HashingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut buffer[..most])?;
        self.hasher.update(&buffer[..count]);
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;
    use std::path::Path;

    use assetsync_core::digest::Digest;
    use assetsync_core::entry::Mtime;
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::{ActionKind, PublishRank};

    use super::*;
    use crate::compare::policy::Policy;
    use crate::scan::source::Source;

    /// All pieces of the file `app.js` in `dir`, which was planned with this content.
    fn pieces(dir: &Path, planned: &[u8]) -> Vec<FilePiece> {
        let size = planned.len() as u64;
        let (mode, mtime, recipe) = (0o644, Mtime::default(), Recipe::Whole);
        let (digest, rank) = (Some(Digest::of(planned)), PublishRank::Ordinary);
        let what = ActionKind::File(FileAction { size, mode, mtime, digest, recipe, rank });
        let action = Action { path: RelPath::new(b"app.js").unwrap(), known: None, what };
        let mut tree = Source::scan(dir, &Policy::default()).unwrap().tree().unwrap();
        let answers = Answers::new();
        let is_line_quick = &AtomicBool::new(false);
        let mut reader = FileReader { tree: &mut tree, answers: &answers, is_line_quick };
        let mut pieces = Vec::new();
        let read = reader.read::<Infallible>(ActionIndex::new(0), &action, &mut |piece| {
            pieces.push(piece);
            Ok(())
        });
        read.unwrap();
        pieces
    }

    #[test]
    fn pieces_have_all_of_a_file_and_its_end_is_in_the_last_one() {
        let dir = tempfile::tempdir().unwrap();
        for length in [0, 1, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES - 1] {
            let content: Vec<u8> = (0..length).map(|at| (at / 7) as u8).collect();
            fs::write(dir.path().join("app.js"), &content).unwrap();
            let pieces = pieces(dir.path(), &content);
            let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
            assert!(bytes == content, "{length}");
            assert_eq!(pieces.iter().map(|piece| piece.covered).sum::<u64>(), length as u64);
            let firsts: Vec<_> = pieces.iter().map(|piece| piece.is_first).collect();
            assert_eq!(firsts.iter().position(|&first| first), Some(0));
            assert_eq!(firsts.iter().filter(|&&first| first).count(), 1);
            let end = FileEnd::AsPlanned { new_bytes: None };
            let ends: Vec<_> = pieces.iter().filter_map(|piece| piece.end).collect();
            assert_eq!((ends, pieces.last().unwrap().end), (vec![end], Some(end)));
        }
    }

    #[test]
    fn a_file_that_is_no_longer_as_planned_ends_as_changed() {
        let dir = tempfile::tempdir().unwrap();
        let end = || pieces(dir.path(), b"planned").last().unwrap().end;
        assert_eq!(end(), Some(FileEnd::Changed), "it is gone");
        for now in ["plan", "other!!", "planned, and grown"] {
            fs::write(dir.path().join("app.js"), now).unwrap();
            assert_eq!(end(), Some(FileEnd::Changed), "{now}");
        }
        fs::write(dir.path().join("app.js"), "planned").unwrap();
        assert_eq!(end(), Some(FileEnd::AsPlanned { new_bytes: None }));
    }
}
