//! Entries and actions on the wire. They come in tree order, so each says only how it differs from the one
//! before: the path's unshared end, the mode and mtime where they changed. What is left compresses well.

use super::codec::{DecodeError, Fields, put_bytes, put_number, put_signed};
use super::recipe::{decode_recipe, put_recipe};
use crate::digest::{Digest, ShortDigest};
use crate::entry::{Entry, Kind, Mtime};
use crate::limits;
use crate::path::RelPath;
use crate::plan::{FileAction, Order, Place, Rename, What};
use crate::recipe::Recipe;
use crate::state::RemoteEntry;

/// What one direction of a conversation remembers of the items before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    path: Vec<u8>,
    mode: u32,
    mtime: Mtime,
    known: u32,
    renamed: u32,
    /// Where the last [`Copy`](super::Message::Copy) ended in its basis.
    pub(super) copied_to: u64,
}

const KIND: u8 = 0b11;
const HAS_DIGEST: u8 = 1 << 2;
const SAME_MODE: u8 = 1 << 3;
const SAME_MTIME: u8 = 1 << 4;
const ENTRY_POINT: u8 = 1 << 5;
/// Of a delete: it waits for pruning.
const AT_PRUNING: u8 = ENTRY_POINT;
/// Instead of a delete.
const RESPELLED: u8 = SAME_MODE;
const IS_KNOWN: u8 = 1 << 6;
const IS_RENAMED: u8 = 1 << 7;
const ENTRY_FLAGS: u8 = KIND | HAS_DIGEST | SAME_MODE | SAME_MTIME;
const ORDER_FLAGS: u8 = KIND | SAME_MODE | SAME_MTIME | ENTRY_POINT | IS_KNOWN | IS_RENAMED;

const FILE: u8 = 0;
const DIR: u8 = 1;
const SYMLINK: u8 = 2;
/// As an entry: a special file. As an action: delete.
const OTHER: u8 = 3;

impl Memory {
    /// Appends all of it: equal memories, and only these, have equal bytes.
    #[cfg(feature = "sender")]
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_bytes(out, &self.path);
        for number in [self.mode, self.known, self.renamed] {
            put_number(out, u64::from(number));
        }
        put_signed(out, self.mtime.secs);
        put_number(out, u64::from(self.mtime.nanos));
        put_number(out, self.copied_to);
    }

    fn put_path(&mut self, out: &mut Vec<u8>, path: &RelPath) {
        let bytes = path.as_bytes();
        let shared = self.path.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        put_number(out, shared as u64);
        put_bytes(out, &bytes[shared..]);
        self.path.truncate(shared);
        self.path.extend_from_slice(&bytes[shared..]);
    }

    fn path(&mut self, fields: &mut Fields<'_>) -> Result<RelPath, DecodeError> {
        let shared = fields.bounded("shared path length", self.path.len() as u64)?;
        let end = fields.bytes("path length", limits::PATH_BYTES)?;
        self.path.truncate(shared as usize);
        self.path.extend_from_slice(end);
        Ok(RelPath::new(&self.path)?)
    }

    /// A position in the state, as the distance from the last one.
    pub(super) fn put_known(&mut self, out: &mut Vec<u8>, known: u32) {
        put_signed(out, i64::from(known) - i64::from(self.known));
        self.known = known;
    }

    fn known(&mut self, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
        self.known = position_after(self.known, limits::ENTRIES, fields)?;
        Ok(self.known)
    }

    /// A position in the list of renames, as the distance from the one that would be next.
    fn put_renamed(&mut self, out: &mut Vec<u8>, renamed: u32) {
        put_signed(out, i64::from(renamed) - i64::from(self.renamed));
        self.renamed = renamed.saturating_add(1);
    }

    fn renamed(&mut self, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
        let renamed = position_after(self.renamed, limits::RENAMES as u64, fields)?;
        self.renamed = renamed.saturating_add(1);
        Ok(renamed)
    }

    /// Reads a position and gives the memory as it shall be once the whole message has been read.
    pub(super) fn peek_known(&self, fields: &mut Fields<'_>) -> Result<(u32, Memory), DecodeError> {
        let mut memory = self.clone();
        Ok((memory.known(fields)?, memory))
    }

    fn mode_flag(&self, mode: u32) -> u8 {
        if mode == self.mode { SAME_MODE } else { 0 }
    }

    fn mtime_flag(&self, mtime: Mtime) -> u8 {
        if mtime == self.mtime { SAME_MTIME } else { 0 }
    }

    fn put_mode(&mut self, out: &mut Vec<u8>, mode: u32) {
        if mode != self.mode {
            put_number(out, u64::from(mode));
            self.mode = mode;
        }
    }

    fn mode(&mut self, flags: u8, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
        if flags & SAME_MODE == 0 {
            self.mode = fields.bounded("mode", 0o7777)? as u32;
        }
        Ok(self.mode)
    }

    fn put_mtime(&mut self, out: &mut Vec<u8>, mtime: Mtime) {
        if mtime != self.mtime {
            put_signed(out, mtime.secs.wrapping_sub(self.mtime.secs));
            put_number(out, u64::from(mtime.nanos));
            self.mtime = mtime;
        }
    }

    fn mtime(&mut self, flags: u8, fields: &mut Fields<'_>) -> Result<Mtime, DecodeError> {
        if flags & SAME_MTIME == 0 {
            let secs = self.mtime.secs.wrapping_add(fields.signed()?);
            let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
            self.mtime = Mtime { secs, nanos };
        }
        Ok(self.mtime)
    }
}

/// A position that is coded as the distance from another.
fn position_after(from: u32, limit: u64, fields: &mut Fields<'_>) -> Result<u32, DecodeError> {
    let value = u64::from(from).wrapping_add_signed(fields.signed()?);
    if value > limit {
        return Err(DecodeError::OverLimit { what: "position", value, limit });
    }
    Ok(value as u32)
}

/// Appends an entry.
pub(crate) fn put_entry(out: &mut Vec<u8>, remote: &RemoteEntry, memory: &mut Memory) {
    let entry = &remote.entry;
    let kind = match entry.kind {
        Kind::File { .. } => FILE,
        Kind::Dir => DIR,
        Kind::Symlink { .. } => SYMLINK,
        Kind::Special => OTHER,
    };
    let digest = if remote.digest.is_some() { HAS_DIGEST } else { 0 };
    out.push(kind | digest | memory.mode_flag(entry.mode) | memory.mtime_flag(entry.mtime));
    memory.put_path(out, &entry.path);
    memory.put_mode(out, entry.mode);
    memory.put_mtime(out, entry.mtime);
    match &entry.kind {
        Kind::File { size } => put_number(out, *size),
        Kind::Symlink { target } => put_bytes(out, target),
        Kind::Dir | Kind::Special => {}
    }
    if let Some(digest) = remote.digest {
        out.extend_from_slice(&digest.0);
    }
}

/// Reads an entry; `kept` changes only if it is complete.
pub(crate) fn decode_entry(
    fields: &mut Fields<'_>,
    kept: &mut Memory,
) -> Result<RemoteEntry, DecodeError> {
    let mut memory = kept.clone();
    let flags = known_flags(fields.byte()?, ENTRY_FLAGS)?;
    let path = memory.path(fields)?;
    let mode = memory.mode(flags, fields)?;
    let mtime = memory.mtime(flags, fields)?;
    let kind = match flags & KIND {
        FILE => Kind::File { size: fields.bounded("file size", limits::FILE_BYTES)? },
        DIR => Kind::Dir,
        SYMLINK => Kind::Symlink { target: link_target(fields)? },
        _ => Kind::Special,
    };
    let digest = match flags & HAS_DIGEST {
        0 => None,
        _ => Some(ShortDigest(fields.array()?)),
    };
    *kept = memory;
    Ok(RemoteEntry { entry: Entry { path, kind, mode, mtime }, digest })
}

/// Appends an action as it travels.
pub(crate) fn put_order(out: &mut Vec<u8>, order: &Order, memory: &mut Memory) {
    let place = match order.place {
        Place::Known(_) => IS_KNOWN,
        Place::Renamed(_) => IS_RENAMED,
        Place::New(_) => 0,
    };
    out.push(place | order_flags(&order.what, memory));
    match &order.place {
        Place::Known(known) => memory.put_known(out, *known),
        Place::Renamed(renamed) => memory.put_renamed(out, *renamed),
        Place::New(path) => memory.put_path(out, path),
    }
    match &order.what {
        What::Dir { mode } => memory.put_mode(out, *mode),
        What::Symlink { target, mtime } => {
            memory.put_mtime(out, *mtime);
            put_bytes(out, target);
        }
        What::File(file) => put_file(out, file, memory),
        What::Respell { to } => put_bytes(out, to.as_bytes()),
        What::Delete | What::Prune => {}
    }
}

fn order_flags(what: &What, memory: &Memory) -> u8 {
    match what {
        What::Dir { mode } => DIR | memory.mode_flag(*mode),
        What::Symlink { mtime, .. } => SYMLINK | memory.mtime_flag(*mtime),
        What::File(file) => {
            let entry_point = if file.entry_point { ENTRY_POINT } else { 0 };
            FILE | entry_point | memory.mode_flag(file.mode) | memory.mtime_flag(file.mtime)
        }
        What::Delete => OTHER,
        What::Prune => OTHER | AT_PRUNING,
        What::Respell { .. } => OTHER | RESPELLED,
    }
}

fn put_file(out: &mut Vec<u8>, file: &FileAction, memory: &mut Memory) {
    memory.put_mode(out, file.mode);
    memory.put_mtime(out, file.mtime);
    put_recipe(out, file.recipe);
    if let Some(digest) = file.digest {
        put_number(out, file.size);
        out.extend_from_slice(&digest.0);
    }
}

/// Reads an action; `kept` changes only if it is complete.
pub(crate) fn decode_order(
    fields: &mut Fields<'_>,
    kept: &mut Memory,
) -> Result<Order, DecodeError> {
    let mut memory = kept.clone();
    let flags = known_flags(fields.byte()?, ORDER_FLAGS)?;
    let place = match flags & (IS_KNOWN | IS_RENAMED) {
        0 => Place::New(memory.path(fields)?),
        IS_KNOWN => Place::Known(memory.known(fields)?),
        IS_RENAMED => Place::Renamed(memory.renamed(fields)?),
        _ => return Err(DecodeError::Unknown { what: "flags", value: u64::from(flags) }),
    };
    let what = match flags & KIND {
        DIR => What::Dir { mode: memory.mode(flags, fields)? },
        SYMLINK => {
            let mtime = memory.mtime(flags, fields)?;
            What::Symlink { target: link_target(fields)?, mtime }
        }
        FILE => What::File(decode_file(flags, fields, &mut memory)?),
        _ if flags & RESPELLED != 0 => What::Respell { to: whole_path(fields)? },
        _ if flags & AT_PRUNING != 0 => What::Prune,
        _ => What::Delete,
    };
    *kept = memory;
    Ok(Order { place, what })
}

/// Reads a path that is spelled out.
pub(super) fn whole_path(fields: &mut Fields<'_>) -> Result<RelPath, DecodeError> {
    let bytes = fields.bytes("path length", limits::PATH_BYTES)?;
    RelPath::new(bytes).map_err(DecodeError::from)
}

fn decode_file(
    flags: u8,
    fields: &mut Fields<'_>,
    memory: &mut Memory,
) -> Result<FileAction, DecodeError> {
    let mode = memory.mode(flags, fields)?;
    let mtime = memory.mtime(flags, fields)?;
    let recipe = decode_recipe(fields)?;
    let (size, digest) = match recipe {
        Recipe::Keep | Recipe::Touch => (0, None),
        _ => {
            let size = fields.bounded("file size", limits::FILE_BYTES)?;
            (size, Some(Digest(fields.array()?)))
        }
    };
    let entry_point = flags & ENTRY_POINT != 0;
    Ok(FileAction { size, mode, mtime, digest, recipe, entry_point })
}

fn known_flags(flags: u8, allowed: u8) -> Result<u8, DecodeError> {
    if flags & !allowed == 0 {
        Ok(flags)
    } else {
        Err(DecodeError::Unknown { what: "flags", value: u64::from(flags) })
    }
}

fn link_target(fields: &mut Fields<'_>) -> Result<Vec<u8>, DecodeError> {
    let target = fields.bytes("link target length", limits::LINK_TARGET_BYTES)?;
    if target.is_empty() || target.contains(&0) {
        return Err(DecodeError::Unknown {
            what: "link target of length",
            value: target.len() as u64,
        });
    }
    Ok(target.to_vec())
}

/// Appends a rename; they come in tree order of their new paths.
pub(super) fn put_rename(out: &mut Vec<u8>, rename: &Rename, memory: &mut Memory) {
    memory.put_known(out, rename.known);
    put_number(out, u64::from(rename.start));
    out.push(rename.length);
    put_bytes(out, &rename.new);
}

/// Reads a rename; `kept` changes only if it is complete.
pub(super) fn decode_rename(
    fields: &mut Fields<'_>,
    kept: &mut Memory,
) -> Result<Rename, DecodeError> {
    let mut memory = kept.clone();
    let known = memory.known(fields)?;
    let start = fields.bounded("fingerprint position", limits::PATH_BYTES as u64)? as u16;
    let length = fields.byte()?;
    let new = fields.bytes("fingerprint length", limits::FINGERPRINT_BYTES)?.to_vec();
    *kept = memory;
    Ok(Rename { known, start, length, new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Basis, Ground};

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    fn entries() -> Vec<RemoteEntry> {
        let mtime = Mtime { secs: -5, nanos: 999_999_999 };
        let entry = |name: &str, kind, mode, mtime| Entry { path: path(name), kind, mode, mtime };
        let digest = Some(ShortDigest([9; 16]));
        vec![
            RemoteEntry { entry: entry("a", Kind::Dir, 0o755, Mtime::default()), digest: None },
            RemoteEntry {
                entry: entry("a/b", Kind::File { size: 1 << 40 }, 0o4755, mtime),
                digest,
            },
            RemoteEntry {
                entry: entry("a/c", Kind::File { size: 0 }, 0o4755, mtime),
                digest: None,
            },
            RemoteEntry {
                entry: entry("l", Kind::Symlink { target: b"../x".to_vec() }, 0o777, mtime),
                digest: None,
            },
            RemoteEntry { entry: entry("pipe", Kind::Special, 0o600, mtime), digest: None },
        ]
    }

    #[test]
    fn entries_survive_and_cut_ones_ask_for_more() {
        let (mut out, mut memory) = (Vec::new(), Memory::default());
        entries().iter().for_each(|entry| put_entry(&mut out, entry, &mut memory));
        let (mut fields, mut memory) = (Fields(&out), Memory::default());
        for entry in entries() {
            let mut cut = Fields(&fields.0[..3]);
            let (before, mut spare) = (memory.clone(), memory.clone());
            assert_eq!(decode_entry(&mut cut, &mut spare), Err(DecodeError::UnexpectedEnd));
            assert_eq!(spare.path, before.path);
            assert_eq!(decode_entry(&mut fields, &mut memory), Ok(entry));
        }
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn orders_survive() {
        let mtime = Mtime { secs: 1, nanos: 2 };
        let file = |recipe, digest: u64| {
            What::File(FileAction {
                size: 7 * digest,
                mode: 0o644,
                mtime,
                digest: (digest > 0).then_some(Digest([3; 32])),
                recipe,
                entry_point: true,
            })
        };
        let ground = Ground { basis: Basis::Known(7), rewritten: true };
        let delta = Recipe::Delta { ground, block_bytes: 1024 };
        let orders = [
            Order { place: Place::New(path("d")), what: What::Dir { mode: 0o700 } },
            Order { place: Place::New(path("d/x")), what: file(Recipe::Whole, 1) },
            Order { place: Place::Known(70_000), what: file(delta, 1) },
            Order { place: Place::Renamed(5), what: file(Recipe::Patch { ground }, 1) },
            Order {
                place: Place::Renamed(6),
                what: file(Recipe::Rewrite { basis: Basis::Known(1) }, 1),
            },
            Order {
                place: Place::Renamed(2),
                what: file(Recipe::Regzip { plain: Basis::Planned(2) }, 1),
            },
            Order { place: Place::Known(3), what: file(Recipe::Touch, 0) },
            Order {
                place: Place::New(path("e")),
                what: file(Recipe::Copy { from: Basis::Planned(1) }, 1),
            },
            Order {
                place: Place::New(path("l")),
                what: What::Symlink { target: b"x".to_vec(), mtime },
            },
            Order { place: Place::Known(4), what: What::Delete },
        ];
        let (mut out, mut memory) = (Vec::new(), Memory::default());
        orders.iter().for_each(|order| put_order(&mut out, order, &mut memory));
        let (mut fields, mut memory) = (Fields(&out), Memory::default());
        for order in orders {
            assert_eq!(decode_order(&mut fields, &mut memory), Ok(order));
        }
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn hostile_items_are_refused() {
        let bad: [&[u8]; 6] = [
            b"\x80\x00\x01a",         // unknown flag
            b"\x18\x00\x02..",        // leaves the tree
            b"\x18\x05\x01a",         // shares more than there is
            b"\x18\x00\xff\x7f",      // path too long
            b"\x1a\x00\x01a\x00",     // empty link target
            b"\x10\x00\x01a\xff\x7f", // mode out of range
        ];
        for bytes in bad {
            let refused = decode_entry(&mut Fields(bytes), &mut Memory::default());
            assert!(
                !matches!(refused, Ok(_) | Err(DecodeError::UnexpectedEnd)),
                "{bytes:?}: {refused:?}"
            );
        }
    }
}
