//! Index entries, and their coding on disk.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Mtime};
use assetsync_core::index::{EntryList, Listed};
use assetsync_core::protocol::{
    CodecContext, DecodeError, Fields, decode_entry, put_entry, put_number, put_signed,
};
use assetsync_core::state::RemoteEntry;
use assetsync_tree::FileVersion;

/// An entry of the destination, and what is known of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The entry, as a push asked for it.
    pub entry: Entry,
    /// The mode and mtime that the file system keeps instead of those, if it does: it may have no
    /// modes, whole seconds, or other limits.
    pub kept: Option<Kept>,
    /// The file version.
    pub version: FileVersion,
    /// The digest of that version's content, if it was ever read or written.
    pub digest: Option<Digest>,
    /// The version is old enough that a later one can't have the same [`FileVersion`].
    pub settled: bool,
}

impl Listed for IndexEntry {
    type List = EntryList;
}

/// A mode and mtime as they are.
pub type Kept = (u32, Mtime);

const HAS_DIGEST: u8 = 1;
const SETTLED: u8 = 2;
const KEPT: u8 = 4;

impl IndexEntry {
    /// The entry as it is reported to the sender.
    pub fn remote(&self) -> RemoteEntry {
        RemoteEntry { entry: self.entry.clone(), digest: self.digest.map(|digest| digest.short()) }
    }

    /// Its mode and mtime as they are.
    pub fn actual(&self) -> Kept {
        self.kept.unwrap_or((self.entry.mode, self.entry.mtime))
    }

    /// Whether this is how `entry` was found, in that version.
    pub fn is(&self, entry: &Entry, version: FileVersion) -> bool {
        let is_same = (&self.entry.path, &self.entry.kind) == (&entry.path, &entry.kind);
        is_same && self.actual() == (entry.mode, entry.mtime) && self.version == version
    }

    /// Records the mode and mtime that were asked for; those that it has are what the file system
    /// keeps instead.
    pub fn asked(&mut self, (mode, mtime): Kept) {
        let actual = self.actual();
        (self.entry.mode, self.entry.mtime) = (mode, mtime);
        self.kept = (actual != (mode, mtime)).then_some(actual);
    }

    /// Appends the entry; it depends on the ones before through `codec_context`.
    pub fn put(&self, out: &mut Vec<u8>, codec_context: &mut CodecContext) {
        put_entry(out, &RemoteEntry { entry: self.entry.clone(), digest: None }, codec_context);
        let digest = if self.digest.is_some() { HAS_DIGEST } else { 0 };
        let settled = if self.settled { SETTLED } else { 0 };
        out.push(digest | settled | if self.kept.is_some() { KEPT } else { 0 });
        put_number(out, self.version.ino);
        put_signed(out, self.version.ctime.secs);
        put_number(out, u64::from(self.version.ctime.nanos));
        if let Some(digest) = self.digest {
            out.extend_from_slice(&digest.0);
        }
        if let Some((mode, mtime)) = self.kept {
            put_number(out, u64::from(mode));
            put_signed(out, mtime.secs);
            put_number(out, u64::from(mtime.nanos));
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
        let ctime = mtime(fields)?;
        let digest = match flags & HAS_DIGEST {
            0 => None,
            _ => Some(Digest(fields.array()?)),
        };
        let kept = match flags & KEPT {
            0 => None,
            _ => Some((fields.bounded("mode", 0o7777)? as u32, mtime(fields)?)),
        };
        let version = FileVersion { ino, ctime };
        Ok(IndexEntry { entry, kept, version, digest, settled: flags & SETTLED != 0 })
    }
}

fn mtime(fields: &mut Fields<'_>) -> Result<Mtime, DecodeError> {
    let secs = fields.signed()?;
    let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
    Ok(Mtime { secs, nanos })
}
