//! A tape: what is encoded once for several destinations, replayed to each as quickly as it takes it.
//!
//! The encoder records; players join at any time and hear all of it from its beginning. The encoder is at most
//! [`MAX_LEAD`] in front of the *fastest* player, so that the time it waits is that of the quickest link, and nobody waits
//! for a slow one. It goes on while anybody listens.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assetsync_core::protocol::{CodecContext, Outbox};

use super::spill_buffer::{BufferedBytes, SpillBuffer};
use crate::encode::sink::MessageSink;
use crate::error::PushError;

/// The zstd level until another one is chosen.
const LEVEL: i32 = 3;

/// How far the encoder may be in front of the fastest player, in bytes: enough for both to work at the same time,
/// little enough to feel the link.
const MAX_LEAD: u64 = 1 << 20;

/// Most bytes of a tape in memory.
const IN_MEMORY: usize = 8 << 20;

/// Most bytes that are played at a time.
const PIECE: usize = 64 * 1024;

/// What is recorded so far, and who listens.
#[derive(Debug)]
pub struct SharedEncoding {
    locked: Mutex<EncodingState>,
    /// There is more to hear, or an end.
    grown: Condvar,
    /// Somebody has heard more, or has gone.
    consumed: Condvar,
    /// How far the encoder may be in front.
    ahead: u64,
}

#[derive(Debug)]
struct EncodingState {
    reel: SpillBuffer,
    length: u64,
    marks: Vec<Mark>,
    /// How many bytes each player has done with.
    readers: HashMap<u64, u64>,
    next_reader: u64,
    end: Option<End>,
}

/// Up to here so many bytes of the source's content are dealt with.
#[derive(Debug, Clone, Copy)]
struct Mark {
    length: u64,
    done: u64,
}

#[derive(Debug, Clone)]
enum End {
    /// All is recorded; the direction remembers this.
    Complete(CodecContext),
    /// The encoder failed.
    Failed(Arc<PushError>),
    /// Nobody listened any more.
    NoReaders,
}

/// Where an encoder records. Dropped before it [ends](Recorder::end), it fails all players.
pub struct SharedEncodingWriter {
    tape: Arc<SharedEncoding>,
    outbox: Outbox,
    blocked: Duration,
    sent: u64,
    done: u64,
}

/// Hears a tape from its beginning.
#[derive(Debug)]
pub struct SharedEncodingReader {
    tape: Arc<SharedEncoding>,
    number: u64,
    position: u64,
    piece: Vec<u8>,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum NextBytes<'p> {
    /// Bytes to pass on.
    Bytes {
        /// The bytes; before all that are there at the moment, whole frames.
        bytes: &'p [u8],
        /// Bytes of the source's content that are dealt with once these are passed on.
        done: u64,
    },
    /// Nothing yet; what came so far are whole frames.
    Nothing,
    /// That was all; the direction remembers this now.
    End(CodecContext),
}

impl SharedEncoding {
    /// A new tape, on which the direction that remembers `memory` goes on, and its first player.
    pub fn begin(
        memory: CodecContext,
    ) -> io::Result<(Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader)> {
        SharedEncoding::begin_with(memory, MAX_LEAD, IN_MEMORY)
    }

    fn begin_with(
        memory: CodecContext,
        ahead: u64,
        in_memory: usize,
    ) -> io::Result<(Arc<SharedEncoding>, SharedEncodingWriter, SharedEncodingReader)> {
        let outbox = Outbox::after(memory, LEVEL)?;
        let locked = EncodingState {
            reel: SpillBuffer::new(in_memory),
            length: 0,
            marks: Vec::new(),
            readers: HashMap::new(),
            next_reader: 0,
            end: None,
        };
        let (grown, consumed) = (Condvar::new(), Condvar::new());
        let tape = Arc::new(SharedEncoding { locked: Mutex::new(locked), grown, consumed, ahead });
        let (blocked, sent, done) = (Duration::ZERO, 0, 0);
        let recorder =
            SharedEncodingWriter { tape: Arc::clone(&tape), outbox, blocked, sent, done };
        let player = SharedEncodingReader::new(&tape, &mut tape.locked());
        Ok((tape, recorder, player))
    }

    /// One more player, unless the tape will never be complete.
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

    /// Waits until the fastest player is near; fails if there is none.
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
        if let Some(spill) = locked.reel.push(position, bytes).map_err(PushError::SpillFile)? {
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
    /// Bytes of content that are dealt with by the bytes before `position`.
    fn done(&self, position: u64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.length <= position);
        after.checked_sub(1).map_or(0, |at| self.marks[at].done)
    }
}

impl SharedEncodingWriter {
    /// Ends the tape with what came of recording it; gives its length in bytes.
    pub fn end(mut self, recorded: Result<(), PushError>) -> u64 {
        let ended = recorded.and_then(|()| {
            let memory = self.outbox.end();
            self.write_at_least(1)?;
            Ok(memory)
        });
        let end = match ended {
            Ok(memory) => End::Complete(memory),
            Err(error) => End::Failed(Arc::new(error)),
        };
        let mut locked = self.tape.locked();
        self.tape.end(&mut locked, end);
        locked.length
    }
}

impl Drop for SharedEncodingWriter {
    fn drop(&mut self) {
        let mut locked = self.tape.locked();
        if locked.end.is_none() {
            let error = PushError::Io(io::Error::other("the encoder ended early"));
            self.tape.end(&mut locked, End::Failed(Arc::new(error)));
        }
    }
}

impl MessageSink for SharedEncodingWriter {
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        let started = Instant::now();
        self.tape.append(bytes, self.done)?;
        self.blocked += started.elapsed();
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// Players show themselves that they live; this notices when there are none.
    fn keep_alive(&mut self) -> Result<(), PushError> {
        self.tape.wait_for_room().map(drop)
    }

    fn blocked(&self) -> Duration {
        self.blocked
    }

    fn sent(&self) -> u64 {
        self.sent
    }

    fn progress(&mut self, bytes: u64) {
        self.done += bytes;
    }
}

impl SharedEncodingReader {
    fn new(tape: &Arc<SharedEncoding>, locked: &mut EncodingState) -> SharedEncodingReader {
        let number = locked.next_reader;
        locked.next_reader += 1;
        locked.readers.insert(number, 0);
        SharedEncodingReader { tape: Arc::clone(tape), number, position: 0, piece: Vec::new() }
    }

    /// What comes next, waited for no longer than `patience`. Asking says that what came before is done with.
    pub fn next(&mut self, patience: Duration) -> Result<NextBytes<'_>, PushError> {
        let tape = Arc::clone(&self.tape);
        let mut locked = tape.locked();
        locked.readers.insert(self.number, self.position);
        tape.consumed.notify_one();
        if locked.length == self.position && locked.end.is_none() {
            let position = self.position;
            let waits =
                |locked: &mut EncodingState| locked.length == position && locked.end.is_none();
            let waited = tape.grown.wait_timeout_while(locked, patience, waits);
            locked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if locked.length > self.position {
            return self.play(locked);
        }
        match &locked.end {
            None => Ok(NextBytes::Nothing),
            Some(End::Complete(memory)) => Ok(NextBytes::End(memory.clone())),
            Some(End::Failed(error)) => Err(PushError::Shared(Arc::clone(error))),
            Some(End::NoReaders) => Err(PushError::Io(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn play(&mut self, locked: MutexGuard<'_, EncodingState>) -> Result<NextBytes<'_>, PushError> {
        let recorded = usize::try_from(locked.length - self.position).unwrap_or(PIECE);
        let most = recorded.min(PIECE);
        self.piece.clear();
        let file = match locked.reel.locate(self.position) {
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
        self.tape.locked().readers.remove(&self.number);
        self.tape.consumed.notify_one();
    }
}

#[cfg(test)]
mod tests;
