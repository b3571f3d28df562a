//! The history as bytes: magic, then one part for each deploy, appended as deploys are made.
//!
//! ```text
//! part     = size of the step · size of the step compressed · the step compressed by zstd · checksum
//! checksum = first 16 bytes of the BLAKE3 of (the checksum before, or the magic) and the part up to here
//! step     = forgotten · orphans · deploy · removed · attributes changed · added · their digests
//! ```
//!
//! Numbers are LEB128 varints. Paths come in tree order, each as the length it shares with the one
//! before and the rest; positions as the distance from the one before. Digests don't compress, so
//! they are kept apart from what does.

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::protocol::{put_bytes, put_number, put_signed};

use super::append::HistoryStep;
use super::deploys::Deploy;
use super::id::DeployId;
use super::limits;
use super::tree::{Content, FileAttributes, HistoryFile};

/// The magic of a history; the last character is the format.
pub(super) const MAGIC: &[u8; 16] = b"assetsync-hist-1";

/// Bytes of a checksum.
pub(super) const CHECKSUM_BYTES: usize = 16;

pub(super) const SYMLINK: u8 = 1;
pub(super) const ENTRY_POINT: u8 = 1 << 1;
pub(super) const SAME_MODE: u8 = 1 << 2;
pub(super) const SAME_MTIME: u8 = 1 << 3;

/// Paths and numbers of ten thousand files shrink by two thirds, and faster than they travel.
const LEVEL: i32 = 9;

/// The last bytes of a history: a hash of everything before. Equal checksums mean equal histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum(pub [u8; CHECKSUM_BYTES]);

impl Checksum {
    /// The value that the checksum of the first part includes.
    pub(super) fn start() -> Checksum {
        Checksum(*MAGIC)
    }

    pub(super) fn after(self, part: &[u8]) -> Checksum {
        Checksum(Digest::of(&[&self.0, part].concat()).short().0)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::history::{History, Tree};

    /// A whole history as bytes, Shorter than one with appended parts if deploys were
    /// forgotten.
    pub fn encode(history: &History) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut checksum = Checksum::start();
        for step in steps(history) {
            let part = encode_step(&step, checksum);
            // The part ends with it.
            checksum.0.copy_from_slice(&part[part.len() - CHECKSUM_BYTES..]);
            bytes.extend(part);
        }
        bytes
    }

    /// The steps that make a history from none.
    fn steps(history: &History) -> impl Iterator<Item = HistoryStep> {
        let mut before = Tree::default();
        history.deploys().iter().enumerate().map(move |(at, deploy)| {
            let tree = history.tree(at);
            let mut step = HistoryStep::between(deploy.clone(), &before, &tree);
            step.orphans.clone_from(&history.orphans);
            before = tree;
            step
        })
    }
}

/// The bytes to append to a history that ends with `previous`, so that it holds this step too.
pub(super) fn encode_step(step: &HistoryStep, previous: Checksum) -> Vec<u8> {
    let plain = plain(step);
    // With room for all it may produce, zstd has nothing to fail at.
    let packed = zstd::bulk::compress(&plain, LEVEL).unwrap_or_default();
    let mut part = Vec::with_capacity(packed.len() + 32);
    put_number(&mut part, plain.len() as u64);
    put_bytes(&mut part, &packed);
    let checksum = previous.after(&part);
    part.extend_from_slice(&checksum.0);
    part
}

pub(super) fn plain(step: &HistoryStep) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, u64::from(step.forgotten));
    put_paths(&mut out, &step.orphans);
    put_deploy(&mut out, &step.deploy);
    put_positions(&mut out, &step.removed);
    put_changed_attributes(&mut out, &step.attributes_changed);
    put_added(&mut out, &step.added);
    out
}

fn put_paths(out: &mut Vec<u8>, paths: &[RelPath]) {
    put_number(out, paths.len() as u64);
    let mut before: &[u8] = &[];
    for path in paths {
        put_path(out, before, path);
        before = path.as_bytes();
    }
}

fn put_path(out: &mut Vec<u8>, before: &[u8], path: &RelPath) {
    let bytes = path.as_bytes();
    let shared = before.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    put_number(out, shared as u64);
    put_bytes(out, &bytes[shared..]);
}

fn put_deploy(out: &mut Vec<u8>, deploy: &Deploy) {
    put_id(out, deploy.id);
    put_signed(out, deploy.published);
    let origin = &deploy.origin;
    for text in [&origin.user, &origin.host, &origin.tool_text()] {
        put_bytes(out, cut(text).as_bytes());
    }
    out.push(u8::from(deploy.restores.is_some()));
    deploy.restores.into_iter().for_each(|id| put_id(out, id));
}

fn put_id(out: &mut Vec<u8>, id: DeployId) {
    put_signed(out, id.secs());
    put_number(out, u64::from(id.nonce()));
}

/// The beginning of a text that is no longer than it may be.
fn cut(text: &str) -> &str {
    let ends = (0..=limits::NAME_BYTES).rev();
    ends.filter_map(|end| text.get(..end.min(text.len()))).next().unwrap_or_default()
}

fn put_positions(out: &mut Vec<u8>, positions: &[u32]) {
    put_number(out, positions.len() as u64);
    let mut next = 0;
    for &position in positions {
        put_number(out, u64::from(position - next));
        next = position + 1;
    }
}

fn put_changed_attributes(out: &mut Vec<u8>, attributes_changed: &[(u32, FileAttributes)]) {
    let positions: Vec<u32> = attributes_changed.iter().map(|(position, _)| *position).collect();
    put_positions(out, &positions);
    let mut before = FileAttributes::default();
    for (_, attributes) in attributes_changed {
        put_stamp(out, 0, before, *attributes);
        before = *attributes;
    }
}

fn put_stamp(out: &mut Vec<u8>, flags: u8, before: FileAttributes, attributes: FileAttributes) {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let (same_mode, same_mtime) =
        (attributes.mode == before.mode, attributes.mtime == before.mtime);
    let entry_point = flag(attributes.entry_point, ENTRY_POINT);
    out.push(flags | entry_point | flag(same_mode, SAME_MODE) | flag(same_mtime, SAME_MTIME));
    if !same_mode {
        put_number(out, u64::from(attributes.mode));
    }
    if !same_mtime {
        put_signed(out, attributes.mtime.secs.wrapping_sub(before.mtime.secs));
        put_number(out, u64::from(attributes.mtime.nanos));
    }
}

fn put_added(out: &mut Vec<u8>, added: &[HistoryFile]) {
    put_number(out, added.len() as u64);
    let (mut path, mut attributes): (&[u8], _) = (&[], FileAttributes::default());
    for file in added {
        put_path(out, path, &file.path);
        let flags = if matches!(file.content, Content::Symlink { .. }) { SYMLINK } else { 0 };
        put_stamp(out, flags, attributes, file.attributes);
        match &file.content {
            Content::File { size, .. } => put_number(out, *size),
            Content::Symlink { target } => put_bytes(out, target),
        }
        (path, attributes) = (file.path.as_bytes(), file.attributes);
    }
    for file in added {
        if let Content::File { digest, .. } = &file.content {
            out.extend_from_slice(&digest.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;

    use super::*;
    use crate::history::decoder::decode;
    use crate::history::fixtures::deploy;
    use crate::history::{History, Tree};

    /// As many files as the largest tree of the benchmarks; `newer` of them are new in this
    /// version.
    fn large(newer: u32) -> Tree {
        let files = (0..11_648_u32).map(|number| {
            let version = u32::from(number < newer);
            let digest = Digest::of(&[number, version].map(u32::to_le_bytes).concat());
            let fingerprint = &digest.to_string()[..16];
            let name = format!("assets/part-{:02}/chunk-{number}.{fingerprint}.js", number % 50);
            let path = RelPath::new(name.as_bytes()).expect("a good path");
            let size = u64::from(number) * 37 % 100_000;
            let mtime = Mtime { secs: 1_770_000_000, nanos: 0 };
            let attributes = FileAttributes { mode: 0o644, mtime, entry_point: false };
            HistoryFile { path, content: Content::File { size, digest }, attributes }
        });
        Tree::new(files.collect()).expect("a good tree")
    }

    /// A deploy's list costs its digests, 32 bytes for each new file, and not much more.
    #[test]
    fn large_trees_stay_small() {
        let empty = decode(b"").expect("whole");
        let first = empty.append(&History::new().step(deploy(1, 1), &large(0), 0, [].into_iter()));
        assert!(first.len() < 11_648 * 50, "{}", first.len());
        let decoded = decode(&first).expect("whole");
        let step = decoded.history.step(deploy(2, 2), &large(100), 0, [].into_iter());
        let next = decoded.append(&step);
        assert!(next.len() < 100 * 55 + 200, "{}", next.len());
        let step = decoded.history.step(deploy(3, 3), &large(0), 0, [].into_iter());
        let unchanged = decoded.append(&step);
        assert!(unchanged.len() < 100, "{}", unchanged.len());
    }
}
