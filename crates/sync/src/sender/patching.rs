//! Sends patches: groups of files in one zstd frame, with what stood near their changes as the frame's prefix.

use super::drafts::{Draft, is_as_planned, new_content, old_content};
use super::effort::Effort;
use super::encode::{Encoder, literals};
use super::error::PushError;
use super::groups::{Group, group};
use super::session::Materials;
use crate::delta::exact::Piece;
use crate::plan::{Action, Part, Plan};
use crate::proto::Message;
use crate::recipe::{Basis, Ground};

/// The window of frames with a prefix, as a power of two: all of a group and its prefix.
const WINDOW_LOG: u32 = 22;

/// Up to so many bytes of new content are compressed as well as can be.
const LITTLE: u64 = 2 << 20;

/// Sends the patches of a plan.
pub struct Patching<'p, 'e> {
    /// Where files are encoded.
    pub encoder: Encoder<'e>,
    /// The plan.
    pub plan: &'p Plan,
    /// What content is made from.
    pub materials: &'p Materials<'p>,
    /// Bytes of new content in all patches.
    pub new_bytes: u64,
}

impl Patching<'_, '_> {
    /// Sends the patches at `positions` of the plan.
    pub fn encode(&mut self, positions: &[u32], effort: &Effort) -> Result<(), PushError> {
        let (plan, materials) = (self.plan, self.materials);
        let drafts = positions.iter().filter_map(|&at| draft(plan, materials, at));
        let drafts: Vec<_> = drafts.collect();
        let pieces = drafts.iter().flat_map(|(_, _, pieces)| *pieces);
        self.new_bytes = pieces.map(|piece| new_bytes(piece) as u64).sum();
        let mut groups =
            group(drafts.iter().map(|(_, ground, pieces)| (*ground, *pieces))).into_iter();
        let mut left = 0;
        for (position, _, pieces) in &drafts {
            let action = &self.plan.actions[*position as usize];
            let content = self.content(action);
            if left == 0 && !pieces.is_empty() {
                left = self.begin(groups.next(), effort)?;
            }
            self.encoder.outlet.send(&Message::FileStart { action: *position })?;
            for piece in *pieces {
                if left == 0 {
                    left = self.begin(groups.next(), effort)?;
                }
                left -= 1;
                if let Some(content) = &content {
                    self.piece(piece, content)?;
                }
            }
            let end = if content.is_some() { Message::FileEnd } else { Message::FileAbort };
            self.encoder.outlet.send(&end)?;
            let size = action.file().map_or(0, |file| file.size);
            self.encoder.outlet.progress(size);
        }
        if drafts.is_empty() {
            return Ok(());
        }
        self.encoder.outlet.compress_at(effort.level(), effort.window_log())
    }

    /// The new content, if it is what was planned.
    fn content(&self, action: &Action) -> Option<Vec<u8>> {
        let comparison = self.materials.comparison;
        let at = comparison.position_of(&action.path)?;
        let content = new_content(comparison, self.materials.source, at)?;
        is_as_planned(&content, action.file()?.digest).then_some(content)
    }

    /// Begins the frame of a group; gives how many pieces it has.
    fn begin(&mut self, group: Option<Group>, effort: &Effort) -> Result<usize, PushError> {
        let Some(Group { parts, pieces }) = group else { return Ok(usize::MAX) };
        let prefix = self.prefix(&parts)?;
        let outlet = &mut *self.encoder.outlet;
        parts.iter().try_for_each(|part| outlet.send(&Message::Part(*part)))?;
        let mut check = [0; 8];
        check.copy_from_slice(&blake3::hash(&prefix).as_bytes()[..8]);
        outlet.send(&Message::Prefix { check })?;
        outlet.compress_with(patch_level(effort, self.new_bytes), WINDOW_LOG, &prefix)?;
        Ok(pieces)
    }

    /// The bytes of a prefix, as the agent will read them.
    fn prefix(&self, parts: &[Part]) -> Result<Vec<u8>, PushError> {
        let mut prefix = vec![0];
        let mut opened: Option<(Ground, Vec<u8>)> = None;
        for part in parts {
            if opened.as_ref().is_none_or(|(ground, _)| *ground != part.ground) {
                opened = Some((part.ground, self.ground(part.ground)?));
            }
            let range = part.offset as usize..(part.offset + part.length) as usize;
            let bytes = opened.as_ref().and_then(|(_, content)| content.get(range));
            prefix.extend_from_slice(bytes.ok_or_else(lost)?);
        }
        Ok(prefix)
    }

    fn ground(&self, ground: Ground) -> Result<Vec<u8>, PushError> {
        let Basis::Known(known) = ground.basis else { return Err(lost()) };
        let old = old_content(self.materials.comparison, self.materials.old, known);
        let old = old.ok_or_else(lost)?;
        Ok(match &self.materials.comparison.drafts().rewriter {
            Some(rewriter) if ground.rewritten => rewriter.rewrite(&old),
            _ => old,
        })
    }

    fn piece(&mut self, piece: &Piece, content: &[u8]) -> Result<(), PushError> {
        match piece {
            Piece::New { range, .. } => literals(self.encoder.outlet, &content[range.clone()]),
            Piece::Copy { offset, length } => {
                let (offset, length) = (*offset as u64, *length as u64);
                self.encoder.outlet.send(&Message::Copy { offset, length })
            }
        }
    }
}

/// Patches are small: they are worth all the effort there is, unless there are many of them.
fn patch_level(effort: &Effort, new_bytes: u64) -> i32 {
    if new_bytes <= LITTLE { 19 } else { effort.level() }
}

fn new_bytes(piece: &Piece) -> usize {
    match piece {
        Piece::New { range, .. } => range.len(),
        Piece::Copy { .. } => 0,
    }
}

/// What is known of the patch at a position of the plan.
fn draft<'p>(
    plan: &Plan,
    materials: &'p Materials<'p>,
    position: u32,
) -> Option<(u32, Ground, &'p [Piece])> {
    let action = plan.actions.get(position as usize)?;
    let at = materials.comparison.position_of(&action.path)?;
    match materials.comparison.drafts().files.get(&at)? {
        Draft::Compared { ground, pieces } => Some((position, *ground, pieces)),
        Draft::Rewritten(_) => None,
    }
}

/// The store had it a moment ago.
fn lost() -> PushError {
    PushError::Vanished
}
