//! The prefix of a zstd frame, which is made of parts of references.

use std::io::Read;

use assetsync_core::plan::PrefixPart;
use assetsync_core::{limits, recipe};

use super::reference_reader::ReferenceReader;
use crate::error::AgentError;

/// The parts received so far.
#[derive(Default)]
pub struct Prefix {
    parts: Vec<PrefixPart>,
    bytes: u64,
}

impl Prefix {
    /// Adds a part.
    pub fn add(&mut self, part: PrefixPart) -> Result<(), AgentError> {
        self.bytes += part.length;
        if self.parts.len() >= limits::PREFIX_PARTS || self.bytes > limits::PREFIX_BYTES as u64 {
            return Err(AgentError::protocol("prefix over its limit"));
        }
        self.parts.push(part);
        Ok(())
    }

    /// Reads the parts and clears the list. The leading zero keeps zstd from parsing the prefix as
    /// a dictionary in its own format. With another hash than `check`, what follows can't be
    /// decompressed.
    pub fn load(
        &mut self,
        check: [u8; 8],
        mut open: impl FnMut(recipe::Reference) -> Result<ReferenceReader, AgentError>,
    ) -> Result<Vec<u8>, AgentError> {
        let Prefix { parts, bytes } = std::mem::take(self);
        let mut prefix = Vec::with_capacity(bytes as usize + 1);
        prefix.push(0);
        let mut opened: Option<(recipe::Reference, ReferenceReader)> = None;
        for part in parts {
            let reference = match opened.take_if(|(which, _)| *which == part.reference) {
                Some((_, reference)) => reference,
                None => open(part.reference)?,
            };
            let (_, reference) = opened.insert((part.reference, reference));
            let sought = reference.go_to(part.offset);
            let read = sought.and_then(|_| reference.take(part.length).read_to_end(&mut prefix));
            read.map_err(|_| AgentError::Basis)?;
        }
        if blake3::hash(&prefix).as_bytes()[..check.len()] == check {
            Ok(prefix)
        } else {
            Err(AgentError::Basis)
        }
    }
}
