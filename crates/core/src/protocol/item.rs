//! Entries and actions on the wire. They are in tree order, so each has only the differences from
//! the one before: the path without the shared beginning, and the mode and mtime if they changed.

use super::codec::{DecodeError, Fields, put_bytes, put_number};
use super::codec_context::{CodecContext, SAME_MODE, SAME_MTIME};
use super::recipe::{decode_recipe, put_recipe};
use crate::digest::{Digest, ShortDigest};
use crate::entry::{Entry, Kind};
use crate::limits;
use crate::path::RelPath;
use crate::plan::{ActionKind, ActionPath, FileAction, PublishRank, Rename, WireAction};
use crate::recipe::Recipe;
use crate::state::RemoteEntry;

const KIND: u8 = 0b11;
const HAS_DIGEST: u8 = 1 << 2;
/// The two bits of a file's rank.
const RANK_LOW: u8 = 1 << 2;
const RANK_HIGH: u8 = 1 << 5;
/// Of a delete: run it when pruning.
const AT_PRUNING: u8 = RANK_HIGH;
/// Instead of a delete.
const RESPELLED: u8 = SAME_MODE;
const IS_KNOWN: u8 = 1 << 6;
const IS_RENAMED: u8 = 1 << 7;
const ENTRY_FLAGS: u8 = KIND | HAS_DIGEST | SAME_MODE | SAME_MTIME;
const RANK: u8 = RANK_LOW | RANK_HIGH;
const ACTION_FLAGS: u8 = KIND | SAME_MODE | SAME_MTIME | RANK | IS_KNOWN | IS_RENAMED;

const FILE: u8 = 0;
const DIR: u8 = 1;
const SYMLINK: u8 = 2;
/// As an entry: a special file. As an action: delete.
const OTHER: u8 = 3;

/// Appends an entry.
pub fn put_entry(out: &mut Vec<u8>, remote: &RemoteEntry, codec_context: &mut CodecContext) {
    let entry = &remote.entry;
    let kind = match entry.kind {
        Kind::File { .. } => FILE,
        Kind::Dir => DIR,
        Kind::Symlink { .. } => SYMLINK,
        Kind::Special => OTHER,
    };
    let digest = if remote.digest.is_some() { HAS_DIGEST } else { 0 };
    out.push(
        kind | digest | codec_context.mode_flag(entry.mode) | codec_context.mtime_flag(entry.mtime),
    );
    codec_context.put_path(out, &entry.path);
    codec_context.put_mode(out, entry.mode);
    codec_context.put_mtime(out, entry.mtime);
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
pub fn decode_entry(
    fields: &mut Fields<'_>,
    kept: &mut CodecContext,
) -> Result<RemoteEntry, DecodeError> {
    let mut codec_context = kept.clone();
    let flags = known_flags(fields.byte()?, ENTRY_FLAGS)?;
    let path = codec_context.path(fields)?;
    let mode = codec_context.mode(flags, fields)?;
    let mtime = codec_context.mtime(flags, fields)?;
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
    *kept = codec_context;
    Ok(RemoteEntry { entry: Entry { path, kind, mode, mtime }, digest })
}

/// Appends a wire action.
pub fn put_action(out: &mut Vec<u8>, action: &WireAction, codec_context: &mut CodecContext) {
    let place = match action.place {
        ActionPath::Existing(_) => IS_KNOWN,
        ActionPath::Renamed(_) => IS_RENAMED,
        ActionPath::New(_) => 0,
    };
    out.push(place | action_flags(&action.what, codec_context));
    match &action.place {
        ActionPath::Existing(known) => codec_context.put_known(out, *known),
        ActionPath::Renamed(renamed) => codec_context.put_renamed(out, *renamed),
        ActionPath::New(path) => codec_context.put_path(out, path),
    }
    match &action.what {
        ActionKind::Dir { mode } => codec_context.put_mode(out, *mode),
        ActionKind::Symlink { target, mtime } => {
            codec_context.put_mtime(out, *mtime);
            put_bytes(out, target);
        }
        ActionKind::File(file) => put_file(out, file, codec_context),
        ActionKind::Respell { to } => put_bytes(out, to.as_bytes()),
        ActionKind::Delete | ActionKind::Prune => {}
    }
}

fn action_flags(what: &ActionKind, codec_context: &CodecContext) -> u8 {
    match what {
        ActionKind::Dir { mode } => DIR | codec_context.mode_flag(*mode),
        ActionKind::Symlink { mtime, .. } => SYMLINK | codec_context.mtime_flag(*mtime),
        ActionKind::File(file) => {
            FILE | rank_flags(file.rank)
                | codec_context.mode_flag(file.mode)
                | codec_context.mtime_flag(file.mtime)
        }
        ActionKind::Delete => OTHER,
        ActionKind::Prune => OTHER | AT_PRUNING,
        ActionKind::Respell { .. } => OTHER | RESPELLED,
    }
}

fn rank_flags(rank: PublishRank) -> u8 {
    match rank {
        PublishRank::Fingerprinted => 0,
        PublishRank::Ordinary => RANK_LOW,
        PublishRank::Naming => RANK_HIGH,
        PublishRank::ServiceWorker => RANK,
    }
}

fn rank(flags: u8) -> PublishRank {
    match flags & RANK {
        0 => PublishRank::Fingerprinted,
        RANK_LOW => PublishRank::Ordinary,
        RANK_HIGH => PublishRank::Naming,
        _ => PublishRank::ServiceWorker,
    }
}

fn put_file(out: &mut Vec<u8>, file: &FileAction, codec_context: &mut CodecContext) {
    codec_context.put_mode(out, file.mode);
    codec_context.put_mtime(out, file.mtime);
    put_recipe(out, file.recipe);
    if let Some(digest) = file.digest {
        put_number(out, file.size);
        out.extend_from_slice(&digest.0);
    }
}

/// Reads an action; `kept` changes only if it is complete.
pub fn decode_action(
    fields: &mut Fields<'_>,
    kept: &mut CodecContext,
) -> Result<WireAction, DecodeError> {
    let mut codec_context = kept.clone();
    let flags = known_flags(fields.byte()?, ACTION_FLAGS)?;
    let place = match flags & (IS_KNOWN | IS_RENAMED) {
        0 => ActionPath::New(codec_context.path(fields)?),
        IS_KNOWN => ActionPath::Existing(codec_context.known(fields)?),
        IS_RENAMED => ActionPath::Renamed(codec_context.renamed(fields)?),
        _ => return Err(DecodeError::Unknown { what: "flags", value: u64::from(flags) }),
    };
    let what = match flags & KIND {
        DIR => ActionKind::Dir { mode: codec_context.mode(flags, fields)? },
        SYMLINK => {
            let mtime = codec_context.mtime(flags, fields)?;
            ActionKind::Symlink { target: link_target(fields)?, mtime }
        }
        FILE => ActionKind::File(decode_file(flags, fields, &mut codec_context)?),
        _ if flags & RESPELLED != 0 => ActionKind::Respell { to: whole_path(fields)? },
        _ if flags & AT_PRUNING != 0 => ActionKind::Prune,
        _ => ActionKind::Delete,
    };
    *kept = codec_context;
    Ok(WireAction { place, what })
}

/// Reads a path that is not delta-coded.
pub(super) fn whole_path(fields: &mut Fields<'_>) -> Result<RelPath, DecodeError> {
    let bytes = fields.bytes("path length", limits::PATH_BYTES)?;
    RelPath::new(bytes).map_err(DecodeError::from)
}

fn decode_file(
    flags: u8,
    fields: &mut Fields<'_>,
    codec_context: &mut CodecContext,
) -> Result<FileAction, DecodeError> {
    let mode = codec_context.mode(flags, fields)?;
    let mtime = codec_context.mtime(flags, fields)?;
    let recipe = decode_recipe(fields)?;
    let (size, digest) = match recipe {
        Recipe::Keep | Recipe::Touch => (0, None),
        _ => {
            let size = fields.bounded("file size", limits::FILE_BYTES)?;
            (size, Some(Digest(fields.array()?)))
        }
    };
    Ok(FileAction { size, mode, mtime, digest, recipe, rank: rank(flags) })
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
pub(super) fn put_rename(out: &mut Vec<u8>, rename: &Rename, codec_context: &mut CodecContext) {
    codec_context.put_known(out, rename.known);
    put_number(out, u64::from(rename.start));
    out.push(rename.length);
    put_bytes(out, &rename.new);
}

/// Reads a rename; `kept` changes only if it is complete.
pub(super) fn decode_rename(
    fields: &mut Fields<'_>,
    kept: &mut CodecContext,
) -> Result<Rename, DecodeError> {
    let mut codec_context = kept.clone();
    let known = codec_context.known(fields)?;
    let start = fields.bounded("fingerprint position", limits::PATH_BYTES as u64)? as u16;
    let length = fields.byte()?;
    let new = fields.bytes("fingerprint length", limits::FINGERPRINT_BYTES)?.to_vec();
    *kept = codec_context;
    Ok(Rename { known, start, length, new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Mtime;
    use crate::index::Index;
    use crate::recipe::{Basis, Reference};

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
    fn entries_round_trip_and_cut_ones_need_more_bytes() {
        let (mut out, mut codec_context) = (Vec::new(), CodecContext::default());
        entries().iter().for_each(|entry| put_entry(&mut out, entry, &mut codec_context));
        let (mut fields, mut codec_context) = (Fields(&out), CodecContext::default());
        for entry in entries() {
            let mut cut = Fields(&fields.0[..3]);
            let (before, mut spare) = (codec_context.clone(), codec_context.clone());
            assert_eq!(decode_entry(&mut cut, &mut spare), Err(DecodeError::UnexpectedEnd));
            assert_eq!(spare, before);
            assert_eq!(decode_entry(&mut fields, &mut codec_context), Ok(entry));
        }
        assert_eq!(fields.end(), Ok(()));
    }

    #[test]
    fn actions_round_trip() {
        let mtime = Mtime { secs: 1, nanos: 2 };
        let file = |recipe, digest: u64| {
            ActionKind::File(FileAction {
                size: 7 * digest,
                mode: 0o644,
                mtime,
                digest: (digest > 0).then_some(Digest([3; 32])),
                recipe,
                rank: PublishRank::ALL[digest as usize],
            })
        };
        let reference = Reference { basis: Basis::Existing(Index::new(7)), rewritten: true };
        let delta = Recipe::Delta { reference, block_bytes: 1024 };
        let wire_actions = [
            WireAction { place: ActionPath::New(path("d")), what: ActionKind::Dir { mode: 0o700 } },
            WireAction { place: ActionPath::New(path("d/x")), what: file(Recipe::Whole, 1) },
            WireAction { place: ActionPath::Existing(Index::new(70_000)), what: file(delta, 1) },
            WireAction {
                place: ActionPath::Renamed(Index::new(5)),
                what: file(Recipe::Patch { reference }, 1),
            },
            WireAction {
                place: ActionPath::Renamed(Index::new(6)),
                what: file(Recipe::Rewrite { basis: Basis::Existing(Index::new(1)) }, 1),
            },
            WireAction {
                place: ActionPath::Renamed(Index::new(2)),
                what: file(Recipe::Regzip { plain: Basis::Planned(Index::new(2)) }, 3),
            },
            WireAction { place: ActionPath::Existing(Index::new(3)), what: file(Recipe::Touch, 0) },
            WireAction {
                place: ActionPath::New(path("e")),
                what: file(Recipe::Copy { from: Basis::Planned(Index::new(1)) }, 2),
            },
            WireAction {
                place: ActionPath::New(path("l")),
                what: ActionKind::Symlink { target: b"x".to_vec(), mtime },
            },
            WireAction { place: ActionPath::Existing(Index::new(4)), what: ActionKind::Delete },
        ];
        let (mut out, mut codec_context) = (Vec::new(), CodecContext::default());
        wire_actions.iter().for_each(|action| put_action(&mut out, action, &mut codec_context));
        let (mut fields, mut codec_context) = (Fields(&out), CodecContext::default());
        for action in wire_actions {
            assert_eq!(decode_action(&mut fields, &mut codec_context), Ok(action));
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
            let refused = decode_entry(&mut Fields(bytes), &mut CodecContext::default());
            assert!(
                !matches!(refused, Ok(_) | Err(DecodeError::UnexpectedEnd)),
                "{bytes:?}: {refused:?}"
            );
        }
    }
}
