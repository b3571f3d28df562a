//! Lists that are too long for memory: written once, then read in order or by position.
//!
//! Small ones stay in memory, longer ones go to a file that has no name and so vanishes with the process.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::limits;
use crate::proto::{DecodeError, Fields, Memory};

/// Lists up to this many bytes stay in memory.
const IN_MEMORY: usize = 256 * 1024;

/// Every so many items the coding starts anew, so that reading can start there.
const STRIDE: u32 = 16;

/// How much is read at a time, in bytes.
const CHUNK: usize = 16 * 1024;

/// No item takes more bytes: a path, a target, and what has a fixed size.
const ITEM_BYTES: usize = limits::PATH_BYTES + limits::LINK_TARGET_BYTES + 256;

/// How an item is kept.
pub trait Item: Sized {
    /// Appends the item; it may depend on the ones before through `memory`.
    fn put(&self, out: &mut Vec<u8>, memory: &mut Memory);
    /// Reads an item.
    fn get(fields: &mut Fields<'_>, memory: &mut Memory) -> Result<Self, DecodeError>;
}

impl Item for super::record::Record {
    fn put(&self, out: &mut Vec<u8>, memory: &mut Memory) {
        self.put(out, memory);
    }
    fn get(fields: &mut Fields<'_>, memory: &mut Memory) -> Result<Self, DecodeError> {
        Self::decode(fields, memory)
    }
}

impl Item for crate::plan::Order {
    fn put(&self, out: &mut Vec<u8>, memory: &mut Memory) {
        crate::proto::put_order(out, self, memory);
    }
    fn get(fields: &mut Fields<'_>, memory: &mut Memory) -> Result<Self, DecodeError> {
        crate::proto::decode_order(fields, memory)
    }
}

/// A list of items.
pub struct Spool<T> {
    file: SpooledTempFile,
    /// Where every [`STRIDE`]th item starts.
    marks: Vec<u64>,
    count: u32,
    length: u64,
    memory: Memory,
    pending: Vec<u8>,
    /// Where reading stands: the chunk read last and the item it continues with.
    chunk: Chunk,
    chunk_end: u64,
    next: u32,
    kind: std::marker::PhantomData<T>,
}

impl<T: Item> Spool<T> {
    /// An empty list that may overflow into a nameless file in `dir`.
    pub fn new(dir: &Path) -> Spool<T> {
        Spool {
            file: tempfile::spooled_tempfile_in(IN_MEMORY, dir),
            marks: Vec::new(),
            count: 0,
            length: 0,
            memory: Memory::default(),
            pending: Vec::new(),
            chunk: Chunk::default(),
            chunk_end: 0,
            next: u32::MAX,
            kind: std::marker::PhantomData,
        }
    }

    /// Number of items.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds an item. All items are added before the first is read.
    pub fn push(&mut self, item: &T) -> io::Result<()> {
        if self.count.is_multiple_of(STRIDE) {
            self.memory = Memory::default();
            self.marks.push(self.length + self.pending.len() as u64);
        }
        item.put(&mut self.pending, &mut self.memory);
        self.count += 1;
        if self.pending.len() >= CHUNK { self.write_pending() } else { Ok(()) }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&self.pending)?;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        self.next = u32::MAX;
        Ok(())
    }

    /// The item at `position`. Quick where it follows the one read before.
    pub fn get(&mut self, position: u32) -> io::Result<Option<T>> {
        if position >= self.count {
            return Ok(None);
        }
        if !self.pending.is_empty() {
            self.write_pending()?;
        }
        let near = self.next <= position && self.next / STRIDE == position / STRIDE;
        if !near && self.next != position {
            self.start_at(position / STRIDE);
        }
        while self.next < position {
            self.read_next()?;
        }
        self.read_next().map(Some)
    }

    fn start_at(&mut self, mark: u32) {
        let offset = self.marks[mark as usize];
        let chunk_start = self.chunk_end - self.chunk.bytes.len() as u64;
        if (chunk_start..self.chunk_end).contains(&offset) {
            self.chunk.at = (offset - chunk_start) as usize;
        } else {
            self.chunk = Chunk { bytes: std::mem::take(&mut self.chunk.bytes), ..Chunk::default() };
            self.chunk.bytes.clear();
            self.chunk_end = offset;
        }
        self.next = mark * STRIDE;
    }

    fn read_next(&mut self) -> io::Result<T> {
        if self.next.is_multiple_of(STRIDE) {
            self.chunk.restart();
        }
        let item = self.chunk.next(|piece| {
            self.file.seek(SeekFrom::Start(self.chunk_end))?;
            let count = self.file.read(piece)?;
            self.chunk_end += count as u64;
            Ok(count)
        })?;
        self.next += 1;
        item.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A piece of a list that is being read.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    at: usize,
    /// There is nothing after it.
    is_last: bool,
    memory: Memory,
}

impl Chunk {
    /// The next item, or `None` at the end. `read` is asked for more where an item might not be whole; it goes on
    /// where it stopped, and gives 0 at the end.
    pub(super) fn next<T: Item>(
        &mut self,
        read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Option<T>> {
        if self.bytes.len() - self.at < ITEM_BYTES && !self.is_last {
            self.fill(read)?;
        }
        let mut fields = Fields(&self.bytes[self.at..]);
        if fields.0.is_empty() {
            return Ok(None);
        }
        let item = T::get(&mut fields, &mut self.memory).map_err(io::Error::other)?;
        self.at = self.bytes.len() - fields.0.len();
        Ok(Some(item))
    }

    /// Reads until an item is whole for certain.
    fn fill(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
        self.bytes.drain(..self.at);
        self.at = 0;
        while self.bytes.len() < ITEM_BYTES && !self.is_last {
            let before = self.bytes.len();
            self.bytes.resize(before + CHUNK, 0);
            let count = read(&mut self.bytes[before..])?;
            self.bytes.truncate(before + count);
            self.is_last = count == 0;
        }
        Ok(())
    }

    /// The next item does not depend on the ones before.
    fn restart(&mut self) {
        self.memory = Memory::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;
    use crate::plan::{Order, Place, What};

    fn order(number: u32) -> Order {
        let path = format!("assets/{:03}/file-{number}.js", number / 100);
        Order {
            place: Place::New(RelPath::new(path.as_bytes()).unwrap()),
            what: What::Dir { mode: number % 0o1000 },
        }
    }

    #[test]
    fn items_are_found_in_any_order_in_memory_and_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        for count in [0_u32, 1, 64, 65, 1000, 40_000] {
            let mut spool = Spool::new(dir.path());
            (0..count).for_each(|number| spool.push(&order(number)).unwrap());
            for number in 0..count {
                assert_eq!(spool.get(number).unwrap(), Some(order(number)));
            }
            for number in (0..count).rev().step_by(37).chain((0..count).step_by(91)) {
                assert_eq!(spool.get(number).unwrap(), Some(order(number)), "{number} of {count}");
            }
            assert_eq!(spool.get(count).unwrap(), None);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
