//! The index: what the agent knew of each path when the last push ended.
//!
//! It is a cache. A damaged or missing index costs reading files again, never a wrong result: an
//! entry is used only while size, mtime, inode and ctime of its file are unchanged.
//!
//! Format: 16 bytes of magic, index entries in tree order, the [`StateId`] of the state that they
//! report, the BLAKE3 of all that.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Take, Write};
use std::os::fd::BorrowedFd;

use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{CodecContext, Fields, StateHasher};
use assetsync_core::state::StateId;
use assetsync_core::work_names::INDEX;
use assetsync_tree::open_file;

use super::index_entry::IndexEntry;
use crate::work::sharing::{create_file, replace};

const MAGIC: &[u8; 16] = b"assetsync-index3";

/// The magic of the previous format. Its entries lack the attributes that a file system keeps
/// instead of the requested ones.
const OLD_MAGIC: &[u8; 16] = b"assetsync-index2";
const NEW_NAME: &str = "index.new";
const STATE_BYTES: u64 = 16;
const DIGEST_BYTES: u64 = 32;

/// Longest index entry in bytes: a path, a target, and fields of limited size.
const RECORD_BYTES: usize = limits::PATH_BYTES + limits::LINK_TARGET_BYTES + 256;

/// Bytes that are read at a time.
const READ_BYTES: u64 = 16 * 1024;

/// An index that is being read, in tree order.
pub struct IndexReader {
    rest: Take<File>,
    chunk: Chunk,
    /// The entry that the next lookup starts with.
    next: Option<IndexEntry>,
    /// The id of the state that the entries report.
    pub state: StateId,
}

impl IndexReader {
    /// Opens the index in a work directory; `None` if there is no complete one.
    pub fn open(work: BorrowedFd<'_>) -> Option<IndexReader> {
        let mut file = open_file(work, INDEX.as_bytes()).ok()?;
        let (body, state) = verify(&mut file).ok()??;
        let (rest, chunk) = (file.take(body), Chunk::default());
        let mut reader = IndexReader { rest, chunk, next: None, state };
        reader.step();
        Some(reader)
    }

    /// Takes the entry of `path`, if there is one, and counts the entries before it that were not
    /// taken. Calls must be in tree order.
    pub fn take(&mut self, path: &RelPath) -> (u32, Option<IndexEntry>) {
        let mut passed = 0;
        while self.next.as_ref().is_some_and(|next| next.entry.path < *path) {
            self.step();
            passed += 1;
        }
        let taken = self.next.take_if(|next| next.entry.path == *path);
        if taken.is_some() {
            self.step();
        }
        (passed, taken)
    }

    /// Counts the remaining entries.
    pub fn rest(mut self) -> u32 {
        let mut left = 0;
        while self.next.is_some() {
            self.step();
            left += 1;
        }
        left
    }

    /// Takes the next entry.
    pub fn take_next(&mut self) -> Option<IndexEntry> {
        let next = self.next.take()?;
        self.step();
        Some(next)
    }

    /// An entry that can't be read ends the index.
    fn step(&mut self) {
        self.next = self.chunk.next(&mut self.rest).unwrap_or_default();
    }
}

/// A chunk of the entries.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    at: usize,
    /// Whether it is the last chunk.
    is_last: bool,
    codec_context: CodecContext,
}

impl Chunk {
    /// The next entry, or `None` at the end.
    fn next(&mut self, rest: &mut Take<File>) -> io::Result<Option<IndexEntry>> {
        if self.bytes.len() - self.at < RECORD_BYTES && !self.is_last {
            self.fill(rest)?;
        }
        let mut fields = Fields(&self.bytes[self.at..]);
        if fields.0.is_empty() {
            return Ok(None);
        }
        let index_entry =
            IndexEntry::decode(&mut fields, &mut self.codec_context).map_err(io::Error::other)?;
        self.at = self.bytes.len() - fields.0.len();
        Ok(Some(index_entry))
    }

    /// Reads until an entry is certainly complete.
    fn fill(&mut self, rest: &mut Take<File>) -> io::Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        while self.bytes.len() < RECORD_BYTES && !self.is_last {
            let count = rest.by_ref().take(READ_BYTES).read_to_end(&mut self.bytes)?;
            self.is_last = count == 0;
        }
        Ok(())
    }
}

/// Checks magic and digest; leaves the file at its first entry, and returns the length of all
/// entries and their state id.
fn verify(file: &mut File) -> io::Result<Option<(u64, StateId)>> {
    let length = file.metadata()?.len();
    let around = MAGIC.len() as u64 + STATE_BYTES + DIGEST_BYTES;
    let Some(body) = length.checked_sub(around) else { return Ok(None) };
    let mut buffer = vec![0; 64 * 1024];
    let hashed = Read::by_ref(file).take(length - DIGEST_BYTES);
    let (digest, _) = assetsync_core::digest::Digest::of_reader(hashed, &mut buffer)?;
    let mut stored = [0; DIGEST_BYTES as usize];
    file.read_exact(&mut stored)?;
    let mut state = [0; STATE_BYTES as usize];
    file.seek(SeekFrom::End(-((STATE_BYTES + DIGEST_BYTES) as i64)))?;
    file.read_exact(&mut state)?;
    let mut magic = [0; MAGIC.len()];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut magic)?;
    let is_known = &magic == MAGIC || &magic == OLD_MAGIC;
    Ok((digest.0 == stored && is_known).then_some((body, StateId(state))))
}

/// An index that is being written; it replaces the old one when it is finished.
pub struct IndexWriter<'w> {
    work: BorrowedFd<'w>,
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    state: StateHasher,
    codec_context: CodecContext,
    line: Vec<u8>,
}

impl<'w> IndexWriter<'w> {
    /// Starts a new index in a work directory.
    pub fn create(work: BorrowedFd<'w>) -> io::Result<IndexWriter<'w>> {
        let file = create_file(work, NEW_NAME)?;
        let mut writer = IndexWriter {
            work,
            file: BufWriter::with_capacity(64 * 1024, file),
            hasher: blake3::Hasher::new(),
            state: StateHasher::default(),
            codec_context: CodecContext::default(),
            line: MAGIC.to_vec(),
        };
        writer.write_line()?;
        Ok(writer)
    }

    /// Adds an entry, in tree order.
    pub fn push(&mut self, index_entry: &IndexEntry) -> io::Result<()> {
        index_entry.put(&mut self.line, &mut self.codec_context);
        self.state.push(&index_entry.remote());
        self.write_line()
    }

    fn write_line(&mut self) -> io::Result<()> {
        self.hasher.update(&self.line);
        self.file.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    /// Renames the index into place and returns its state id. It is not synced: an incomplete one
    /// is detected and ignored.
    pub fn finish(mut self) -> io::Result<StateId> {
        let state = self.state.finish();
        self.line.extend_from_slice(&state.0);
        self.write_line()?;
        let digest = *self.hasher.finalize().as_bytes();
        self.file.write_all(&digest)?;
        self.file.flush()?;
        replace(self.work, NEW_NAME, INDEX)?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use assetsync_core::digest::Digest;
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_tree::FileVersion;

    use super::*;

    /// The index that the fixture has.
    fn index_entries() -> Vec<IndexEntry> {
        let index_entry = |path: &str, kind, digest, settled| {
            let mtime = Mtime { secs: 1_700_000_000, nanos: 5 };
            let path = RelPath::new(path.as_bytes()).unwrap();
            let entry = Entry { path, kind, mode: 0o644, mtime };
            let version = FileVersion { ino: 300, ctime: Mtime { secs: -1, nanos: 999_999_999 } };
            IndexEntry { entry, kept: None, version, digest, settled }
        };
        let (digest, target) = (Some(Digest([0xdd; 32])), b"../t".to_vec());
        vec![
            index_entry("assets", Kind::Dir, None, true),
            index_entry("assets/app-1.js", Kind::File { size: 300 }, digest, true),
            index_entry("assets/app-2.js", Kind::File { size: 0 }, digest, false),
            index_entry("assets/link", Kind::Symlink { target }, None, true),
            index_entry("fifo", Kind::Special, None, false),
        ]
    }

    fn write(work: &File, index_entries: &[IndexEntry]) -> StateId {
        let mut writer = IndexWriter::create(work.as_fd()).unwrap();
        index_entries.iter().for_each(|index_entry| writer.push(index_entry).unwrap());
        writer.finish().unwrap()
    }

    fn read(work: &File) -> (StateId, Vec<IndexEntry>) {
        let mut reader = IndexReader::open(work.as_fd()).unwrap();
        (reader.state, std::iter::from_fn(|| reader.take_next()).collect())
    }

    #[test]
    fn an_index_of_format_2_is_still_read() {
        let dir = tempfile::tempdir().unwrap();
        let work = File::open(dir.path()).unwrap();
        let old = include_bytes!("../../tests/fixtures/index");
        std::fs::write(dir.path().join(INDEX), old).unwrap();
        let (state, found) = read(&work);
        assert_eq!(found, index_entries());
        // Format 3 differs in the magic, and so in the digest.
        assert_eq!(write(&work, &found), state);
        let new = std::fs::read(dir.path().join(INDEX)).unwrap();
        let body = MAGIC.len()..old.len() - DIGEST_BYTES as usize;
        assert_eq!((&new[..MAGIC.len()], &new[body.clone()]), (&MAGIC[..], &old[body]));
    }

    #[test]
    fn an_index_keeps_the_requested_attributes_and_the_actual_ones() {
        let dir = tempfile::tempdir().unwrap();
        let work = File::open(dir.path()).unwrap();
        let mut entries = index_entries();
        let asked: Vec<_> = entries.iter().map(|index_entry| index_entry.remote()).collect();
        for index_entry in &mut entries[1..3] {
            let (mode, mtime) = index_entry.actual();
            (index_entry.entry.mode, index_entry.entry.mtime) =
                (0o777, Mtime { secs: -5, nanos: 0 });
            index_entry.asked((mode, mtime));
        }
        let state = write(&work, &entries);
        assert_eq!(read(&work), (state, entries.clone()));
        let reported: Vec<_> = entries.iter().map(|index_entry| index_entry.remote()).collect();
        assert_eq!(reported, asked);
        assert_eq!(entries[1].actual(), (0o777, Mtime { secs: -5, nanos: 0 }));
    }
}
