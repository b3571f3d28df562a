//! Bytes to a history. They come from a host's disk, so nothing in them is believed.

use assetsync_core::digest::Digest;
use assetsync_core::entry::Mtime;
use assetsync_core::limits as engine;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{DecodeError, Fields};

use super::append::HistoryStep;
use super::codec::{
    CHECKSUM_BYTES, Checksum, ENTRY_POINT, MAGIC, SAME_MODE, SAME_MTIME, SYMLINK, encode_step,
};
use super::deploys::{Deploy, History, Origin};
use super::id::DeployId;
use super::tree::{Content, FileAttributes, HistoryFile};
use super::{HistoryError, limits};

/// A history that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The history.
    pub history: History,
    /// Names all that was read; two histories with one checksum are the same.
    pub checksum: Checksum,
    /// How many bytes of it are whole. The next step is appended after these.
    pub whole_bytes: usize,
    /// Why the rest can't be read: it was truncated or damaged. The deploys in it are unknown, so
    /// their files count as unmanaged, and stay.
    pub damage: Option<HistoryError>,
}

impl Decoded {
    /// The bytes that, appended after [`whole_bytes`](Decoded::whole_bytes), make the history hold
    /// `step` too.
    pub fn append(&self, step: &HistoryStep) -> Vec<u8> {
        let magic: &[u8] = if self.whole_bytes == 0 { MAGIC } else { &[] };
        [magic, &encode_step(step, self.checksum)].concat()
    }
}

/// Reads a history; no bytes at all are a history without deploys.
pub fn decode(bytes: &[u8]) -> Result<Decoded, HistoryError> {
    let mut rest = Fields(without_magic(bytes)?);
    let mut decoded = Decoded {
        history: History::new(),
        checksum: Checksum::start(),
        whole_bytes: bytes.len() - rest.0.len(),
        damage: None,
    };
    let mut work = 0;
    while !rest.0.is_empty() {
        let (step, checksum) = match read_part(&mut rest, decoded.checksum) {
            Ok(part) => part,
            Err(damage) => {
                decoded.damage = Some(damage);
                break;
            }
        };
        work += (decoded.history.spans.len() + step.added.len()) as u64;
        at_most_work(work)?;
        decoded.history = decoded.history.apply(step)?;
        decoded.checksum = checksum;
        decoded.whole_bytes = bytes.len() - rest.0.len();
    }
    Ok(decoded)
}

fn at_most_work(work: u64) -> Result<(), HistoryError> {
    if work > limits::WORK {
        return Err(HistoryError::TooLarge { what: "files in all deploys", limit: limits::WORK });
    }
    Ok(())
}

fn without_magic(bytes: &[u8]) -> Result<&[u8], HistoryError> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or(HistoryError::Magic)?;
    let (name, format) = magic.split_at(MAGIC.len() - 1);
    match format {
        _ if name != &MAGIC[..name.len()] => Err(HistoryError::Magic),
        b"1" => Ok(rest),
        _ => Err(HistoryError::Format(char::from(format[0]))),
    }
}

/// Reads one part, and returns the checksum that the next one includes.
fn read_part(
    rest: &mut Fields<'_>,
    previous: Checksum,
) -> Result<(HistoryStep, Checksum), HistoryError> {
    let whole = rest.0;
    let size = rest.bounded("part size", limits::PART_BYTES as u64)? as usize;
    let packed = rest.bytes("compressed part size", limits::PART_BYTES)?;
    let part = &whole[..whole.len() - rest.0.len()];
    let checksum = Checksum(rest.array::<CHECKSUM_BYTES>()?);
    if previous.after(part) != checksum {
        return Err(HistoryError::Checksum);
    }
    let plain = zstd::bulk::decompress(packed, size).map_err(|_| HistoryError::Compression)?;
    let mut fields = Fields(&plain);
    let step = read_step(&mut fields)?;
    fields.end()?;
    Ok((step, checksum))
}

fn read_step(fields: &mut Fields<'_>) -> Result<HistoryStep, DecodeError> {
    let forgotten = fields.bounded("deploys forgotten", limits::DEPLOYS as u64)? as u32;
    Ok(HistoryStep {
        forgotten,
        orphans: read_paths(fields)?,
        deploy: read_deploy(fields)?,
        removed: read_positions(fields)?,
        attributes_changed: read_restamped(fields)?,
        added: read_added(fields)?,
    })
}

fn count(fields: &mut Fields<'_>) -> Result<u64, DecodeError> {
    fields.bounded("number of files", limits::FILES as u64)
}

fn read_paths(fields: &mut Fields<'_>) -> Result<Vec<RelPath>, DecodeError> {
    let mut before = Vec::new();
    (0..count(fields)?).map(|_| read_path(fields, &mut before)).collect()
}

fn read_path(fields: &mut Fields<'_>, before: &mut Vec<u8>) -> Result<RelPath, DecodeError> {
    let shared = fields.bounded("shared path length", before.len() as u64)?;
    before.truncate(shared as usize);
    before.extend_from_slice(fields.bytes("path length", engine::PATH_BYTES)?);
    Ok(RelPath::new(before)?)
}

fn read_deploy(fields: &mut Fields<'_>) -> Result<Deploy, DecodeError> {
    let id = read_id(fields)?;
    let published = fields.signed()?;
    let mut text = || {
        let bytes = fields.bytes("name length", limits::NAME_BYTES)?;
        Ok::<_, DecodeError>(String::from_utf8_lossy(bytes).into_owned())
    };
    let (user, host, tool) = (text()?, text()?, text()?);
    let origin = Origin::with_tool_text(user, host, &tool);
    let restores = match fields.bounded("flag", 1)? {
        0 => None,
        _ => Some(read_id(fields)?),
    };
    Ok(Deploy { id, published, origin, restores })
}

fn read_id(fields: &mut Fields<'_>) -> Result<DeployId, DecodeError> {
    let secs = fields.signed()?;
    let nonce = fields.bounded("random bits", u64::from(u32::MAX))? as u32;
    Ok(DeployId::new(secs, nonce))
}

fn read_positions(fields: &mut Fields<'_>) -> Result<Vec<u32>, DecodeError> {
    let limit = limits::FILES as u64;
    let mut next = 0;
    let mut positions = Vec::new();
    for _ in 0..count(fields)? {
        let value = next + fields.bounded("position", limit)?;
        if value >= limit {
            return Err(DecodeError::OverLimit { what: "position", value, limit });
        }
        positions.push(value as u32);
        next = value + 1;
    }
    Ok(positions)
}

fn read_restamped(fields: &mut Fields<'_>) -> Result<Vec<(u32, FileAttributes)>, DecodeError> {
    let positions = read_positions(fields)?;
    let mut attributes = FileAttributes::default();
    let mut stamped = |position| {
        attributes = read_stamp(fields, 0, attributes)?.1;
        Ok((position, attributes))
    };
    positions.into_iter().map(&mut stamped).collect()
}

/// Reads the flags, of which `more` are allowed beside a stamp's own, and the stamp.
fn read_stamp(
    fields: &mut Fields<'_>,
    more: u8,
    before: FileAttributes,
) -> Result<(u8, FileAttributes), DecodeError> {
    let flags = fields.byte()?;
    if flags & !(more | ENTRY_POINT | SAME_MODE | SAME_MTIME) != 0 {
        return Err(DecodeError::Unknown { what: "flags", value: u64::from(flags) });
    }
    let mut attributes = FileAttributes { entry_point: flags & ENTRY_POINT != 0, ..before };
    if flags & SAME_MODE == 0 {
        attributes.mode = fields.bounded("mode", 0o7777)? as u32;
    }
    if flags & SAME_MTIME == 0 {
        let secs = before.mtime.secs.wrapping_add(fields.signed()?);
        let nanos = fields.bounded("nanoseconds", 999_999_999)? as u32;
        attributes.mtime = Mtime { secs, nanos };
    }
    Ok((flags, attributes))
}

fn read_added(fields: &mut Fields<'_>) -> Result<Vec<HistoryFile>, DecodeError> {
    let (mut path, mut attributes) = (Vec::new(), FileAttributes::default());
    let mut added = Vec::new();
    for _ in 0..count(fields)? {
        let file = read_file(fields, &mut path, attributes)?;
        attributes = file.attributes;
        added.push(file);
    }
    for file in &mut added {
        if let Content::File { digest, .. } = &mut file.content {
            *digest = Digest(fields.array()?);
        }
    }
    Ok(added)
}

/// Reads all of a file but its digest, which comes after all files.
fn read_file(
    fields: &mut Fields<'_>,
    path: &mut Vec<u8>,
    before: FileAttributes,
) -> Result<HistoryFile, DecodeError> {
    let path = read_path(fields, path)?;
    let (flags, attributes) = read_stamp(fields, SYMLINK, before)?;
    let content = match flags & SYMLINK {
        0 => {
            let size = fields.bounded("file size", engine::FILE_BYTES)?;
            Content::File { size, digest: Digest([0; 32]) }
        }
        _ => Content::Symlink {
            target: fields.bytes("link target length", engine::LINK_TARGET_BYTES)?.to_vec(),
        },
    };
    Ok(HistoryFile { path, content, attributes })
}

#[cfg(test)]
mod tests;
