//! Bytes that are encoded once for several destinations, and sent to each as fast as it takes them.
//!
//! The encoder writes; readers join at any time and read from the beginning. The encoder is at most
//! `MAX_LEAD` ahead of the *fastest* reader, so that it waits for the fastest link, and no reader
//! waits for a slow one. It continues while there is any reader.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assetsync_core::protocol::{CodecContext, Outbox};

use super::spill_buffer::{BufferedBytes, SpillBuffer};
use crate::encode::sink::MessageSink;
use crate::error::PushError;

/// The zstd level until another one is set.
const LEVEL: i32 = 3;

/// How far the encoder may be ahead of the fastest reader, in bytes: enough for both to work at the
/// same time, little enough to notice the link's speed.
const MAX_LEAD: u64 = 1 << 20;

/// Most bytes of an encoding in context.
const IN_MEMORY: usize = 8 << 20;

/// Most bytes that are read at a time.
const PIECE: usize = 64 * 1024;

/// An encoding and its readers.
#[derive(Debug)]
pub struct SharedEncoding {
    locked: Mutex<EncodingState>,
    /// Signals more bytes, or the end.
    grown: Condvar,
    /// Signals that a reader has advanced, or is gone.
    consumed: Condvar,
    /// How far the encoder may be ahead.
    ahead: u64,
}

#[derive(Debug)]
struct EncodingState {
    buffer: SpillBuffer,
    length: u64,
    marks: Vec<Mark>,
    /// How many bytes each reader has sent.
    readers: HashMap<u64, u64>,
    next_reader: u64,
    /// Bytes per second of the fastest line that was measured.
    line_rate: Option<u64>,
    end: Option<End>,
}

/// Progress in content at a position of the encoding.
#[derive(Debug, Clone, Copy)]
struct Mark {
    length: u64,
    done: u64,
}

#[derive(Debug, Clone)]
enum End {
    /// Everything is encoded; this is the codec context at the end.
    Complete(CodecContext),
    /// The encoder failed.
    Failed(Arc<PushError>),
    /// All readers are gone.
    NoReaders,
}

/// Where the encoder writes. If it is dropped before its [end](SharedEncodingWriter::end), all
/// readers fail.
pub struct SharedEncodingWriter {
    encoding: Arc<SharedEncoding>,
    outbox: Outbox,
    blocked: Duration,
    done: u64,
}

/// Reads an encoding from its beginning.
#[derive(Debug)]
pub struct SharedEncodingReader {
    encoding: Arc<SharedEncoding>,
    number: u64,
    position: u64,
    piece: Vec<u8>,
}

/// The result of reading.
#[derive(Debug, PartialEq)]
pub enum NextBytes<'p> {
    /// Bytes to send.
    Bytes {
        /// The bytes. At the end of all available bytes, they end with a whole frame.
        bytes: &'p [u8],
        /// Progress in content once these are sent.
        done: u64,
    },
    /// Nothing yet. The bytes so far are whole frames.
    Nothing,
    /// The end, with the codec context there.
    End(CodecContext),
}

impl SharedEncoding {
    /// A new encoding that begins with the codec context `context`, its writer and its first
    /// reader.
    pub fn begin(
        context: CodecContext,
    ) -> io::Result<(Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader)> {
        SharedEncoding::begin_with(context, MAX_LEAD, IN_MEMORY)
    }

    fn begin_with(
        context: CodecContext,
        ahead: u64,
        in_memory: usize,
    ) -> io::Result<(Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader)> {
        let outbox = Outbox::after(context, LEVEL)?;
        let locked = EncodingState {
            buffer: SpillBuffer::new(in_memory),
            length: 0,
            marks: Vec::new(),
            readers: HashMap::new(),
            next_reader: 0,
            line_rate: None,
            end: None,
        };
        let (grown, consumed) = (Condvar::new(), Condvar::new());
        let encoding =
            Arc::new(SharedEncoding { locked: Mutex::new(locked), grown, consumed, ahead });
        let (blocked, done) = (Duration::ZERO, 0);
        let writer =
            SharedEncodingWriter { encoding: Arc::clone(&encoding), outbox, blocked, done };
        let reader = SharedEncodingReader::new(&encoding, &mut encoding.locked());
        Ok((encoding, writer, reader))
    }

    /// Adds a reader, unless the encoding has failed.
    pub fn join(self: &Arc<SharedEncoding>) -> Option<SharedEncodingReader> {
        let mut locked = self.locked();
        let is_of_use = matches!(locked.end, None | Some(End::Complete(_)));
        is_of_use.then(|| SharedEncodingReader::new(self, &mut locked))
    }

    fn locked(&self) -> MutexGuard<'_, EncodingState> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, locked: &mut EncodingState, end: End) {
        locked.end.get_or_insert(end);
        self.grown.notify_all();
    }

    /// Waits until the fastest reader is close enough. Fails if there is none.
    fn wait_for_room(&self) -> Result<MutexGuard<'_, EncodingState>, PushError> {
        let mut locked = self.locked();
        loop {
            match locked.readers.values().max() {
                None => {
                    self.end(&mut locked, End::NoReaders);
                    return Err(PushError::Io(io::ErrorKind::BrokenPipe.into()));
                }
                Some(&furthest) if locked.length >= furthest + self.ahead => {
                    locked = self.consumed.wait(locked).unwrap_or_else(PoisonError::into_inner);
                }
                Some(_) => return Ok(locked),
            }
        }
    }

    fn append(&self, bytes: &[u8], done: u64) -> Result<(), PushError> {
        let mut locked = self.wait_for_room()?;
        let position = locked.length;
        if let Some(spill) = locked.buffer.push(position, bytes).map_err(PushError::SpillFile)? {
            drop(locked);
            spill.write().map_err(PushError::SpillFile)?;
            locked = self.locked();
        }
        locked.length += bytes.len() as u64;
        let length = locked.length;
        locked.marks.push(Mark { length, done });
        self.grown.notify_all();
        Ok(())
    }
}

impl EncodingState {
    /// Progress in content at `position`.
    fn done(&self, position: u64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.length <= position);
        after.checked_sub(1).map_or(0, |at| self.marks[at].done)
    }
}

impl SharedEncodingWriter {
    /// Ends the encoding with its result. Returns its length in bytes.
    pub fn end(mut self, encoded: Result<(), PushError>) -> u64 {
        let ended = encoded.and_then(|()| {
            let context = self.outbox.end();
            self.write_at_least(1)?;
            Ok(context)
        });
        let end = match ended {
            Ok(context) => End::Complete(context),
            Err(error) => End::Failed(Arc::new(error)),
        };
        let mut locked = self.encoding.locked();
        self.encoding.end(&mut locked, end);
        locked.length
    }
}

impl Drop for SharedEncodingWriter {
    fn drop(&mut self) {
        let mut locked = self.encoding.locked();
        if locked.end.is_none() {
            let error = PushError::Io(io::Error::other("the encoder ended early"));
            self.encoding.end(&mut locked, End::Failed(Arc::new(error)));
        }
    }
}

impl MessageSink for SharedEncodingWriter {
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        let started = Instant::now();
        self.encoding.append(bytes, self.done)?;
        self.blocked += started.elapsed();
        Ok(())
    }

    /// Readers send heartbeats themselves. This fails when there are none.
    fn keep_alive(&mut self) -> Result<(), PushError> {
        self.encoding.wait_for_room().map(drop)
    }

    fn blocked(&self) -> Duration {
        self.blocked
    }

    fn line_rate(&self, _assumed: u64) -> Option<u64> {
        self.encoding.locked().line_rate
    }

    fn progress(&mut self, bytes: u64) -> Result<(), PushError> {
        self.done += bytes;
        Ok(())
    }
}

impl SharedEncodingReader {
    fn new(encoding: &Arc<SharedEncoding>, locked: &mut EncodingState) -> SharedEncodingReader {
        let number = locked.next_reader;
        locked.next_reader += 1;
        locked.readers.insert(number, 0);
        SharedEncodingReader {
            encoding: Arc::clone(encoding),
            number,
            position: 0,
            piece: Vec::new(),
        }
    }

    /// Notes what the reader's line carries: the encoder follows the fastest one.
    pub fn note_line_rate(&self, rate: Option<u64>) {
        let mut locked = self.encoding.locked();
        locked.line_rate = locked.line_rate.max(rate);
    }

    /// Reads on, and waits at most `patience` for more. The bytes returned before count as sent.
    pub fn next(&mut self, patience: Duration) -> Result<NextBytes<'_>, PushError> {
        let encoding = Arc::clone(&self.encoding);
        let mut locked = encoding.locked();
        locked.readers.insert(self.number, self.position);
        encoding.consumed.notify_one();
        if locked.length == self.position && locked.end.is_none() {
            let position = self.position;
            let waits =
                |locked: &mut EncodingState| locked.length == position && locked.end.is_none();
            let waited = encoding.grown.wait_timeout_while(locked, patience, waits);
            locked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if locked.length > self.position {
            return self.play(locked);
        }
        match &locked.end {
            None => Ok(NextBytes::Nothing),
            Some(End::Complete(context)) => Ok(NextBytes::End(context.clone())),
            Some(End::Failed(error)) => Err(PushError::Shared(Arc::clone(error))),
            Some(End::NoReaders) => Err(PushError::Io(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn play(&mut self, locked: MutexGuard<'_, EncodingState>) -> Result<NextBytes<'_>, PushError> {
        let encoded = usize::try_from(locked.length - self.position).unwrap_or(PIECE);
        let most = encoded.min(PIECE);
        self.piece.clear();
        let file = match locked.buffer.locate(self.position) {
            Some(BufferedBytes::Memory(bytes)) => {
                self.piece.extend_from_slice(&bytes[..most.min(bytes.len())]);
                None
            }
            Some(BufferedBytes::File(file, offset)) => Some((file, offset)),
            None => return Err(PushError::SpillFile(io::ErrorKind::UnexpectedEof.into())),
        };
        let count = if file.is_some() { most } else { self.piece.len() };
        self.position += count as u64;
        let done = locked.done(self.position);
        drop(locked);
        if let Some((file, offset)) = file {
            self.piece.resize(count, 0);
            file.read_exact_at(&mut self.piece, offset).map_err(PushError::SpillFile)?;
        }
        Ok(NextBytes::Bytes { bytes: &self.piece, done })
    }
}

impl Drop for SharedEncodingReader {
    fn drop(&mut self) {
        self.encoding.locked().readers.remove(&self.number);
        self.encoding.consumed.notify_one();
    }
}

#[cfg(test)]
mod tests;
