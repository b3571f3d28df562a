//! What an agent knows of one path, and how it is kept on disk.

use super::tree::Stamp;
use crate::digest::Digest;
use crate::entry::Entry;
use crate::entry::Mtime;
use crate::proto::{DecodeError, Fields, Memory, decode_entry, put_entry, put_number, put_signed};
use crate::state::RemoteEntry;

/// One path at the destination and what is known of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What stands there.
    pub entry: Entry,
    /// Which version of it.
    pub stamp: Stamp,
    /// The digest of that version's content, if it was ever read or written.
    pub digest: Option<Digest>,
    /// The version is old enough that a later one can't have the same [`Stamp`].
    pub settled: bool,
}

const HAS_DIGEST: u8 = 1;
const SETTLED: u8 = 2;

impl Record {
    /// What is told to the sender.
    pub fn remote(&self) -> RemoteEntry {
        RemoteEntry { entry: self.entry.clone(), digest: self.digest.map(|digest| digest.short()) }
    }

    /// Whether both are the same version of the same thing.
    pub fn same_version(&self, other: &Record) -> bool {
        self.entry == other.entry && self.stamp == other.stamp
    }

    /// Appends the record; it depends on the ones before through `memory`.
    pub fn put(&self, out: &mut Vec<u8>, memory: &mut Memory) {
        put_entry(out, &RemoteEntry { entry: self.entry.clone(), digest: None }, memory);
        let digest = if self.digest.is_some() { HAS_DIGEST } else { 0 };
        out.push(digest | if self.settled { SETTLED } else { 0 });
        put_number(out, self.stamp.ino);
        put_signed(out, self.stamp.ctime.secs);
        put_number(out, u64::from(self.stamp.ctime.nanos));
        if let Some(digest) = self.digest {
            out.extend_from_slice(&digest.0);
        }
    }

    /// Reads a record.
    pub fn decode(fields: &mut Fields<'_>, memory: &mut Memory) -> Result<Record, DecodeError> {
        let entry = decode_entry(fields, memory)?.entry;
        let flags = fields.byte()?;
        let ino = fields.number()?;
        let secs = fields.signed()?;
        let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
        let digest = match flags & HAS_DIGEST {
            0 => None,
            _ => Some(Digest(fields.array()?)),
        };
        let stamp = Stamp { ino, ctime: Mtime { secs, nanos } };
        Ok(Record { entry, stamp, digest, settled: flags & SETTLED != 0 })
    }
}
