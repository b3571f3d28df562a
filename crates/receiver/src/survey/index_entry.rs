//! Index entries, and their coding on disk.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Mtime};
use assetsync_core::protocol::{
    CodecContext, DecodeError, Fields, decode_entry, put_entry, put_number, put_signed,
};
use assetsync_core::state::RemoteEntry;
use assetsync_tree::FileVersion;

/// An entry of the destination, and what is known of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The entry.
    pub entry: Entry,
    /// The file version.
    pub version: FileVersion,
    /// The digest of that version's content, if it was ever read or written.
    pub digest: Option<Digest>,
    /// The version is old enough that a later one can't have the same [`FileVersion`].
    pub settled: bool,
}

const HAS_DIGEST: u8 = 1;
const SETTLED: u8 = 2;

impl IndexEntry {
    /// The entry as it is reported to the sender.
    pub fn remote(&self) -> RemoteEntry {
        RemoteEntry { entry: self.entry.clone(), digest: self.digest.map(|digest| digest.short()) }
    }

    /// Whether both are the same version of the same entry.
    pub fn same_version(&self, other: &IndexEntry) -> bool {
        self.entry == other.entry && self.version == other.version
    }

    /// Appends the entry; it depends on the ones before through `codec_context`.
    pub fn put(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        put_entry(out, &RemoteEntry { entry: self.entry.clone(), digest: None }, codec_context);
        let digest = if self.digest.is_some() { HAS_DIGEST } else { 0 };
        out.push(digest | if self.settled { SETTLED } else { 0 });
        put_number(out, self.version.ino);
        put_signed(out, self.version.ctime.secs);
        put_number(out, u64::from(self.version.ctime.nanos));
        if let Some(digest) = self.digest {
            out.extend_from_slice(&digest.0);
        }
    }

    /// Reads an entry.
    pub fn decode(
        fields: &mut Fields<'_>,
        codec_context: &mut CodecContext,
    ) -> Result<IndexEntry, DecodeError> {
        let entry = decode_entry(fields, codec_context)?.entry;
        let flags = fields.byte()?;
        let ino = fields.number()?;
        let secs = fields.signed()?;
        let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
        let digest = match flags & HAS_DIGEST {
            0 => None,
            _ => Some(Digest(fields.array()?)),
        };
        let version = FileVersion { ino, ctime: Mtime { secs, nanos } };
        Ok(IndexEntry { entry, version, digest, settled: flags & SETTLED != 0 })
    }
}
