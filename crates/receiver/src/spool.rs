//! Lists that are too long for memory: written once, then read in order or by index.
//!
//! Small ones stay in memory, longer ones go to an unnamed file, which vanishes with the process.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use assetsync_core::index::{Index, Indices, Listed};
use assetsync_core::protocol::{CodecContext, DecodeError, Fields};
use tempfile::SpooledTempFile;

/// Lists up to this many bytes stay in memory.
const IN_MEMORY: usize = 256 * 1024;

/// The codec context is reset after this many items, so that reading can start there.
const STRIDE: u32 = 16;

/// Bytes that are written at a time.
const CHUNK: usize = 16 * 1024;

/// Number of decoded strides that are kept: plans are read in order, and the index entries that
/// they name are close together.
const KEPT: usize = 16;

/// The coding of an item.
pub trait Item: Clone + Listed {
    /// Appends the item; it may depend on the ones before through `codec_context`.
    fn put(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext);
    /// Reads an item.
    fn get(fields: &mut Fields<'_>, codec_context: &mut CodecContext) -> Result<Self, DecodeError>;
}

impl Item for super::survey::index_entry::IndexEntry {
    fn put(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        self.put(out, codec_context);
    }
    fn get(fields: &mut Fields<'_>, codec_context: &mut CodecContext) -> Result<Self, DecodeError> {
        Self::decode(fields, codec_context)
    }
}

impl Item for assetsync_core::plan::WireAction {
    fn put(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        assetsync_core::protocol::put_action(out, self, codec_context);
    }
    fn get(fields: &mut Fields<'_>, codec_context: &mut CodecContext) -> Result<Self, DecodeError> {
        assetsync_core::protocol::decode_action(fields, codec_context)
    }
}

/// A list of items.
pub struct Spool<T> {
    file: SpooledTempFile,
    /// The start of every [`STRIDE`]th item.
    marks: Vec<u64>,
    count: u32,
    length: u64,
    codec_context: CodecContext,
    pending: Vec<u8>,
    /// Strides by number, the last used in front.
    strides: VecDeque<(u32, Vec<T>)>,
    raw: Vec<u8>,
}

impl<T: Item> Spool<T> {
    /// An empty list that may overflow into an unnamed file in `dir`.
    pub fn new(dir: &Path) -> Spool<T> {
        Spool {
            file: tempfile::spooled_tempfile_in(IN_MEMORY, dir),
            marks: Vec::new(),
            count: 0,
            length: 0,
            codec_context: CodecContext::default(),
            pending: Vec::new(),
            strides: VecDeque::new(),
            raw: Vec::new(),
        }
    }

    /// Number of items.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The indices of all items.
    pub fn indices(&self) -> Indices<T::List> {
        Index::range(0..self.count)
    }

    /// Adds an item. All items are added before the first is read.
    pub fn push(&mut self, item: &T) -> io::Result<()> {
        if self.count.is_multiple_of(STRIDE) {
            self.codec_context = CodecContext::default();
            self.marks.push(self.length + self.pending.len() as u64);
        }
        item.put(&mut self.pending, &mut self.codec_context);
        self.count += 1;
        if self.pending.len() >= CHUNK { self.write_pending() } else { Ok(()) }
    }

    fn write_pending(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&self.pending)?;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// The item with this index. Fast near the last ones that were read.
    pub fn get(&mut self, index: Index<T::List>) -> io::Result<Option<T>> {
        let position = index.number();
        if position >= self.count {
            return Ok(None);
        }
        if !self.pending.is_empty() {
            self.write_pending()?;
        }
        let number = position / STRIDE;
        let stride = match self.strides.iter().position(|(kept, _)| *kept == number) {
            Some(at) => self.strides.remove(at),
            None => Some((number, self.read_stride(number)?)),
        };
        self.strides.truncate(KEPT - 1);
        self.strides.extend(stride);
        self.strides.rotate_right(1);
        Ok(self.strides[0].1.get((position % STRIDE) as usize).cloned())
    }

    fn read_stride(&mut self, number: u32) -> io::Result<Vec<T>> {
        let start = self.marks[number as usize];
        let end = self.marks.get(number as usize + 1).copied().unwrap_or(self.length);
        self.raw.resize((end - start) as usize, 0);
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut self.raw)?;
        let (mut fields, mut codec_context) = (Fields(&self.raw), CodecContext::default());
        let mut items = Vec::with_capacity(STRIDE as usize);
        while !fields.0.is_empty() {
            items.push(T::get(&mut fields, &mut codec_context).map_err(io::Error::other)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::{ActionKind, ActionPath, WireAction};

    use super::*;

    fn action(number: u32) -> WireAction {
        let path = format!("assets/{:03}/file-{number}.js", number / 100);
        WireAction {
            place: ActionPath::New(RelPath::new(path.as_bytes()).unwrap()),
            what: ActionKind::Dir { mode: number % 0o1000 },
        }
    }

    #[test]
    fn items_are_found_in_any_order_in_memory_and_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        for count in [0_u32, 1, 64, 65, 1000, 40_000] {
            let mut spool = Spool::new(dir.path());
            (0..count).for_each(|number| spool.push(&action(number)).unwrap());
            for number in 0..count {
                assert_eq!(spool.get(Index::new(number)).unwrap(), Some(action(number)));
            }
            for number in (0..count).rev().step_by(37).chain((0..count).step_by(91)) {
                assert_eq!(
                    spool.get(Index::new(number)).unwrap(),
                    Some(action(number)),
                    "{number} of {count}"
                );
            }
            assert_eq!(spool.get(Index::new(count)).unwrap(), None);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
