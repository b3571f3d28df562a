//! The bytes of a shared encoding: the first ones in memory, the others in a file without a name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Append-only buffer that can be read from any offset.
#[derive(Debug)]
pub struct SpillBuffer {
    memory: Vec<u8>,
    /// Most bytes in memory.
    limit: usize,
    file: Option<Arc<File>>,
}

/// Bytes to be written to the file, without holding the lock.
#[derive(Debug)]
pub struct SpillWrite<'b> {
    file: Arc<File>,
    offset: u64,
    bytes: &'b [u8],
}

/// Where bytes are.
#[derive(Debug)]
pub enum BufferedBytes<'r> {
    /// In memory.
    Memory(&'r [u8]),
    /// In the file, from this offset.
    File(Arc<File>, u64),
}

impl SpillBuffer {
    /// An empty buffer, with at most `limit` bytes in memory.
    pub fn new(limit: usize) -> SpillBuffer {
        SpillBuffer { memory: Vec::new(), limit, file: None }
    }

    /// Appends `bytes` at `position`, where the last ones ended. Returns those still to be written
    /// to the file.
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

    /// Where the bytes from `position` are; they must have been appended and written.
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
