//! The state object, which only one push at a time can change.

use std::time::{Duration, Instant};

use crate::error::BucketError;
use crate::headers::Headers;
use crate::memory::Memory;
use crate::objects::{Condition, Objects, Read, Written};
use crate::state::{Intent, STATE, State, codec};

/// A push that wrote nothing for so long is taken to be over.
pub const LEASE: Duration = Duration::from_secs(120);

/// So long after it last did, a push that goes on says so.
const RENEWED: Duration = Duration::from_secs(30);

/// The state object as this push last saw or wrote it.
pub struct Holder {
    /// Its ETag; none if there is no such object.
    pub etag: Option<String>,
    /// What this machine remembers.
    pub memory: Memory,
    written: Option<Instant>,
}

impl Holder {
    /// The state object with this ETag.
    pub fn new(etag: Option<String>, memory: Memory) -> Holder {
        Holder { etag, memory, written: None }
    }

    /// Takes the bucket: from now on no other push can, until it is released.
    pub fn take(&mut self, objects: &Objects<'_>, state: &State) -> Result<(), BucketError> {
        if let Some(Intent { run, .. }) = &state.intent {
            self.memory.begin(run)?;
        }
        self.write(objects, state).map(drop)
    }

    /// Writes the state without an intent, which releases the bucket.
    pub fn release(&mut self, objects: &Objects<'_>, state: &State) -> Result<(), BucketError> {
        let (etag, bytes) = self.write(objects, state)?;
        self.memory.keep(&etag, &bytes)
    }

    /// Says that this push goes on, if that is due.
    pub fn renew(&mut self, objects: &Objects<'_>, state: &State) -> Result<(), BucketError> {
        if self.written.is_some_and(|written| written.elapsed() >= RENEWED) {
            self.write(objects, state)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        objects: &Objects<'_>,
        state: &State,
    ) -> Result<(String, Vec<u8>), BucketError> {
        let bytes = codec::encode(state);
        let condition = match &self.etag {
            Some(etag) => Condition::IfIs(etag),
            None => Condition::IfMissing,
        };
        let etag = match objects.put(STATE, &bytes, &Headers::default(), condition)? {
            Written::Done(etag) => etag,
            // The answer to a first try may have been lost.
            Written::Refused => match objects.read(STATE, None)? {
                Read::Found { content, etag, .. } if content == bytes => etag,
                _ => return Err(BucketError::Overtaken),
            },
        };
        self.etag = Some(etag.clone());
        self.written = Some(Instant::now());
        Ok((etag, bytes))
    }
}
