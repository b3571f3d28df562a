//! The delta coding of paths, indices, modes and mtimes: each is coded as the difference from the
//! last one of its direction.

use super::codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
use crate::entry::Mtime;
use crate::index::{EntryIndex, EntryList, Index, List, RenameIndex, RenameList};
use crate::limits;
use crate::path::RelPath;

/// Flag of an item: it has the mode of the last one.
pub(super) const SAME_MODE: u8 = 1 << 3;
/// Flag of an item: it has the mtime of the last one.
pub(super) const SAME_MTIME: u8 = 1 << 4;

/// The state of the delta coding of one direction, from message to message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CodecContext {
    path: Vec<u8>,
    mode: u32,
    mtime: Mtime,
    known: u32,
    renamed: u32,
    /// The end of the last [`Copy`](super::ToAgent) in its reference.
    pub(super) copied_to: u64,
}

impl CodecContext {
    /// Appends all of it: only equal contexts have equal bytes.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.path);
        for number in [self.mode, self.known, self.renamed] {
            put_number(out, u64::from(number));
        }
        put_signed(out, self.mtime.secs);
        put_number(out, u64::from(self.mtime.nanos));
        put_number(out, self.copied_to);
    }

    pub(super) fn put_path(&mut self, out: &mut Vec<u8>, path: &RelPath) {
        let bytes = path.as_bytes();
        let shared = self.path.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        put_number(out, shared as u64);
        put_bytes(out, &bytes[shared..]);
        self.path.truncate(shared);
        self.path.extend_from_slice(&bytes[shared..]);
    }

    pub(super) fn path(&mut self, fields: &mut Fields<'_>) -> Result<RelPath, DecodeError> {
        let shared = fields.bounded("shared path length", self.path.len() as u64)?;
        let end = fields.bytes("path length", limits::PATH_BYTES)?;
        self.path.truncate(shared as usize);
        self.path.extend_from_slice(end);
        Ok(RelPath::new(&self.path)?)
    }

    /// An index into the state, as the distance from the last one.
    pub(super) fn put_known(&mut self, out: &mut Vec<u8>, known: EntryIndex) {
        put_signed(out, i64::from(known.number()) - i64::from(self.known));
        self.known = known.number();
    }

    pub(super) fn known(&mut self, fields: &mut Fields<'_>) -> Result<EntryIndex, DecodeError> {
        self.known = position_after(self.known, EntryList::LIMIT, fields)?;
        Ok(Index::new(self.known))
    }

    /// An index into the renames, as the distance from the one after the last.
    pub(super) fn put_renamed(&mut self, out: &mut Vec<u8>, renamed: RenameIndex) {
        let renamed = renamed.number();
        put_signed(out, i64::from(renamed) - i64::from(self.renamed));
        self.renamed = renamed.saturating_add(1);
    }

    pub(super) fn renamed(&mut self, fields: &mut Fields<'_>) -> Result<RenameIndex, DecodeError> {
        let renamed = position_after(self.renamed, RenameList::LIMIT, fields)?;
        self.renamed = renamed.saturating_add(1);
        Ok(Index::new(renamed))
    }

    /// Reads an index, and returns the context to be used once the whole message has been read.
    pub(super) fn peek_known(
        &self,
        fields: &mut Fields<'_>,
    ) -> Result<(EntryIndex, CodecContext), DecodeError> {
        let mut codec_context = self.clone();
        Ok((codec_context.known(fields)?, codec_context))
    }

    pub(super) fn mode_flag(&self, mode: u32) -> u8 {
        if mode == self.mode { SAME_MODE } else { 0 }
    }

    pub(super) fn mtime_flag(&self, mtime: Mtime) -> u8 {
        if mtime == self.mtime { SAME_MTIME } else { 0 }
    }

    pub(super) fn put_mode(&mut self, out: &mut Vec<u8>, mode: u32) {
        if mode != self.mode {
            put_number(out, u64::from(mode));
            self.mode = mode;
        }
    }

    pub(super) fn mode(&mut self, flags: u8, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
        if flags & SAME_MODE == 0 {
            self.mode = fields.bounded("mode", 0o7777)? as u32;
        }
        Ok(self.mode)
    }

    pub(super) fn put_mtime(&mut self, out: &mut Vec<u8>, mtime: Mtime) {
        if mtime != self.mtime {
            put_signed(out, mtime.secs.wrapping_sub(self.mtime.secs));
            put_number(out, u64::from(mtime.nanos));
            self.mtime = mtime;
        }
    }

    pub(super) fn mtime(
        &mut self,
        flags: u8,
        fields: &mut Fields<'_>,
    ) -> Result<Mtime, DecodeError> {
        if flags & SAME_MTIME == 0 {
            let secs = self.mtime.secs.wrapping_add(fields.signed()?);
            let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
            self.mtime = Mtime { secs, nanos };
        }
        Ok(self.mtime)
    }
}

/// Reads an index that is coded as the distance from another.
fn position_after(from: u32, limit: u64, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
    let value = u64::from(from).wrapping_add_signed(fields.signed()?);
    if value > limit {
        return Err(DecodeError::OverLimit { what: "position", value, limit });
    }
    Ok(value as u32)
}
