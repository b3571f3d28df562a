//! A tape: what is encoded once for several destinations, replayed to each as quickly as it takes it.
//!
//! The encoder records; players join at any time and hear all of it from its beginning. The encoder is at most
//! [`AHEAD`] in front of the *fastest* player, so that the time it waits is that of the quickest link, and nobody waits
//! for a slow one. It goes on while anybody listens.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::PushError;
use super::outlet::Outlet;
use super::reel::{Place, Reel};
use crate::proto::{Memory, Outbox};

/// The zstd level until another one is chosen.
const LEVEL: i32 = 3;

/// How far the encoder may be in front of the fastest player, in bytes: enough for both to work at the same time,
/// little enough to feel the link.
const AHEAD: u64 = 1 << 20;

/// Most bytes of a tape in memory.
const IN_MEMORY: usize = 8 << 20;

/// Most bytes that are played at a time.
const PIECE: usize = 64 * 1024;

/// What is recorded so far, and who listens.
#[derive(Debug)]
pub struct Tape {
    desk: Mutex<Desk>,
    /// There is more to hear, or an end.
    grown: Condvar,
    /// Somebody has heard more, or has gone.
    heard: Condvar,
    /// How far the encoder may be in front.
    ahead: u64,
}

#[derive(Debug)]
struct Desk {
    reel: Reel,
    length: u64,
    marks: Vec<Mark>,
    /// How many bytes each player has done with.
    players: HashMap<u64, u64>,
    next_player: u64,
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
    Complete(Memory),
    /// The encoder failed.
    Failed(Arc<PushError>),
    /// Nobody listened any more.
    Forsaken,
}

/// Where an encoder records. Dropped before it [ends](Recorder::end), it fails all players.
pub struct Recorder {
    tape: Arc<Tape>,
    outbox: Outbox,
    blocked: Duration,
    sent: u64,
    done: u64,
}

/// Hears a tape from its beginning.
#[derive(Debug)]
pub struct Player {
    tape: Arc<Tape>,
    number: u64,
    position: u64,
    piece: Vec<u8>,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Heard<'p> {
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
    End(Memory),
}

impl Tape {
    /// A new tape, on which the direction that remembers `memory` goes on, and its first player.
    pub fn begin(memory: Memory) -> io::Result<(Arc<Tape>, Recorder, Player)> {
        Tape::begin_with(memory, AHEAD, IN_MEMORY)
    }

    fn begin_with(
        memory: Memory,
        ahead: u64,
        in_memory: usize,
    ) -> io::Result<(Arc<Tape>, Recorder, Player)> {
        let outbox = Outbox::after(memory, LEVEL)?;
        let desk = Desk {
            reel: Reel::new(in_memory),
            length: 0,
            marks: Vec::new(),
            players: HashMap::new(),
            next_player: 0,
            end: None,
        };
        let (grown, heard) = (Condvar::new(), Condvar::new());
        let tape = Arc::new(Tape { desk: Mutex::new(desk), grown, heard, ahead });
        let (blocked, sent, done) = (Duration::ZERO, 0, 0);
        let recorder = Recorder { tape: Arc::clone(&tape), outbox, blocked, sent, done };
        let player = Player::new(&tape, &mut tape.desk());
        Ok((tape, recorder, player))
    }

    /// One more player, unless the tape will never be complete.
    pub fn join(self: &Arc<Tape>) -> Option<Player> {
        let mut desk = self.desk();
        let is_of_use = matches!(desk.end, None | Some(End::Complete(_)));
        is_of_use.then(|| Player::new(self, &mut desk))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, desk: &mut Desk, end: End) {
        desk.end.get_or_insert(end);
        self.grown.notify_all();
    }

    /// Waits until the fastest player is near; fails if there is none.
    fn wait_for_room(&self) -> Result<MutexGuard<'_, Desk>, PushError> {
        let mut desk = self.desk();
        loop {
            match desk.players.values().max() {
                None => {
                    self.end(&mut desk, End::Forsaken);
                    return Err(PushError::Io(io::ErrorKind::BrokenPipe.into()));
                }
                Some(&furthest) if desk.length >= furthest + self.ahead => {
                    desk = self.heard.wait(desk).unwrap_or_else(PoisonError::into_inner);
                }
                Some(_) => return Ok(desk),
            }
        }
    }

    fn append(&self, bytes: &[u8], done: u64) -> Result<(), PushError> {
        let mut desk = self.wait_for_room()?;
        let position = desk.length;
        if let Some(spill) = desk.reel.push(position, bytes).map_err(PushError::Spool)? {
            drop(desk);
            spill.write().map_err(PushError::Spool)?;
            desk = self.desk();
        }
        desk.length += bytes.len() as u64;
        let length = desk.length;
        desk.marks.push(Mark { length, done });
        self.grown.notify_all();
        Ok(())
    }
}

impl Desk {
    /// Bytes of content that are dealt with by the bytes before `position`.
    fn done(&self, position: u64) -> u64 {
        let after = self.marks.partition_point(|mark| mark.length <= position);
        after.checked_sub(1).map_or(0, |at| self.marks[at].done)
    }
}

impl Recorder {
    /// Ends the tape with what came of recording it; gives its length in bytes.
    pub fn end(mut self, recorded: Result<(), PushError>) -> u64 {
        let ended = recorded.and_then(|()| {
            let memory = self.outbox.end();
            self.write_if(1)?;
            Ok(memory)
        });
        let end = match ended {
            Ok(memory) => End::Complete(memory),
            Err(error) => End::Failed(Arc::new(error)),
        };
        let mut desk = self.tape.desk();
        self.tape.end(&mut desk, end);
        desk.length
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let mut desk = self.tape.desk();
        if desk.end.is_none() {
            let error = PushError::Io(io::Error::other("the encoder ended early"));
            self.tape.end(&mut desk, End::Failed(Arc::new(error)));
        }
    }
}

impl Outlet for Recorder {
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
    fn tick(&mut self) -> Result<(), PushError> {
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

impl Player {
    fn new(tape: &Arc<Tape>, desk: &mut Desk) -> Player {
        let number = desk.next_player;
        desk.next_player += 1;
        desk.players.insert(number, 0);
        Player { tape: Arc::clone(tape), number, position: 0, piece: Vec::new() }
    }

    /// What comes next, waited for no longer than `patience`. Asking says that what came before is done with.
    pub fn next(&mut self, patience: Duration) -> Result<Heard<'_>, PushError> {
        let tape = Arc::clone(&self.tape);
        let mut desk = tape.desk();
        desk.players.insert(self.number, self.position);
        tape.heard.notify_one();
        if desk.length == self.position && desk.end.is_none() {
            let position = self.position;
            let waits = |desk: &mut Desk| desk.length == position && desk.end.is_none();
            let waited = tape.grown.wait_timeout_while(desk, patience, waits);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if desk.length > self.position {
            return self.play(desk);
        }
        match &desk.end {
            None => Ok(Heard::Nothing),
            Some(End::Complete(memory)) => Ok(Heard::End(memory.clone())),
            Some(End::Failed(error)) => Err(PushError::Shared(Arc::clone(error))),
            Some(End::Forsaken) => Err(PushError::Io(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn play(&mut self, desk: MutexGuard<'_, Desk>) -> Result<Heard<'_>, PushError> {
        let recorded = usize::try_from(desk.length - self.position).unwrap_or(PIECE);
        let most = recorded.min(PIECE);
        self.piece.clear();
        let file = match desk.reel.place(self.position) {
            Some(Place::Memory(bytes)) => {
                self.piece.extend_from_slice(&bytes[..most.min(bytes.len())]);
                None
            }
            Some(Place::File(file, offset)) => Some((file, offset)),
            None => return Err(PushError::Spool(io::ErrorKind::UnexpectedEof.into())),
        };
        let count = if file.is_some() { most } else { self.piece.len() };
        self.position += count as u64;
        let done = desk.done(self.position);
        drop(desk);
        if let Some((file, offset)) = file {
            self.piece.resize(count, 0);
            file.read_exact_at(&mut self.piece, offset).map_err(PushError::Spool)?;
        }
        Ok(Heard::Bytes { bytes: &self.piece, done })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.tape.desk().players.remove(&self.number);
        self.tape.heard.notify_one();
    }
}

#[cfg(test)]
mod tests;
