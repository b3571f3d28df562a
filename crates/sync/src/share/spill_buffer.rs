//! Where a tape keeps its bytes: the first ones in memory, the others in a file without a name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes that can be read again from any place. Only the end grows.
#[derive(Debug)]
pub struct SpillBuffer {
    memory: Vec<u8>,
    /// Most bytes in memory.
    limit: usize,
    file: Option<Arc<File>>,
}

/// Bytes on their way to the file, which are written while nobody is held up.
#[derive(Debug)]
pub struct SpillWrite<'b> {
    file: Arc<File>,
    offset: u64,
    bytes: &'b [u8],
}

/// Where to read.
#[derive(Debug)]
pub enum BufferedBytes<'r> {
    /// Here they are.
    Memory(&'r [u8]),
    /// In the file, from this offset.
    File(Arc<File>, u64),
}

impl SpillBuffer {
    /// An empty one, with at most `limit` bytes in memory.
    pub fn new(limit: usize) -> SpillBuffer {
        SpillBuffer { memory: Vec::new(), limit, file: None }
    }

    /// Takes `bytes` that begin at `position`, where the last ones ended; gives those still to be written.
    pub fn push<'b>(
        &mut self,
        position: u64,
        bytes: &'b [u8],
    ) -> io::Result<Option<SpillWrite<'b>>> {
        let room = self.limit - self.memory.len();
        let (kept, bytes) = bytes.split_at(room.min(bytes.len()));
        self.memory.extend_from_slice(kept);
        if bytes.is_empty() {
            return Ok(None);
        }
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::clone(self.file.insert(Arc::new(tempfile::tempfile()?))),
        };
        let offset = position + kept.len() as u64 - self.limit as u64;
        Ok(Some(SpillWrite { file, offset, bytes }))
    }

    /// Where the bytes from `position` are; some have been taken and written there.
    pub fn locate(&self, position: u64) -> Option<BufferedBytes<'_>> {
        match self.memory.get(usize::try_from(position).ok()?..) {
            Some(bytes) if !bytes.is_empty() => Some(BufferedBytes::Memory(bytes)),
            _ => {
                let offset = position.checked_sub(self.limit as u64)?;
                Some(BufferedBytes::File(Arc::clone(self.file.as_ref()?), offset))
            }
        }
    }
}

impl SpillWrite<'_> {
    /// Writes them.
    pub fn write(&self) -> io::Result<()> {
        self.file.write_all_at(self.bytes, self.offset)
    }
}
