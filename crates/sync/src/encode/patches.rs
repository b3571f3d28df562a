//! Sends patches: groups of files in one zstd frame, with the old surroundings of their changes as
//! its prefix.

use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, Plan, PrefixPart};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::{Basis, Reference};

use super::adaptive_level::AdaptiveLevel;
use super::file::{Encoder, send_literals};
use super::inputs::EncodeInputs;
use super::patch_frames::{PatchFrame, pack_frames};
use crate::draft::contents::{matches_plan, new_content, old_content};
use crate::draft::drafts::Draft;
use crate::draft::exact_diff::PatchOp;
use crate::error::PushError;

/// The window of frames with a prefix, as a power of two: all of a group and its prefix.
const WINDOW_LOG: u32 = 22;

/// Up to this many bytes of new content are compressed at the highest level.
const SMALL_TRANSFER: u64 = 2 << 20;

/// Sends the patches of a plan.
pub struct PatchSender<'p, 'e> {
    /// Where files are encoded.
    pub encoder: Encoder<'e>,
    /// The plan.
    pub plan: &'p Plan,
    /// The inputs of an encoding.
    pub inputs: &'p EncodeInputs<'p>,
    /// Bytes of new content in all patches.
    pub new_bytes: u64,
}

impl PatchSender<'_, '_> {
    /// Sends the patches at `positions` of the plan.
    pub fn encode(
        &mut self,
        positions: &[ActionIndex],
        effort: &AdaptiveLevel,
    ) -> Result<(), PushError> {
        let (plan, inputs) = (self.plan, self.inputs);
        let drafts = positions.iter().filter_map(|&at| draft(plan, inputs, at));
        let drafts: Vec<_> = drafts.collect();
        let pieces = drafts.iter().flat_map(|(_, _, pieces)| *pieces);
        self.new_bytes = pieces.map(|piece| new_bytes(piece) as u64).sum();
        let mut groups =
            pack_frames(drafts.iter().map(|(_, reference, pieces)| (*reference, *pieces)))
                .into_iter();
        let mut left = 0;
        for (position, _, pieces) in &drafts {
            let action = &self.plan.actions[*position];
            let content = self.content(action);
            if left == 0 && !pieces.is_empty() {
                left = self.begin(groups.next(), effort)?;
            }
            self.encoder.sink.send(&ToAgent::FileStart { action: *position })?;
            for piece in *pieces {
                if left == 0 {
                    left = self.begin(groups.next(), effort)?;
                }
                left -= 1;
                if let Some(content) = &content {
                    self.piece(piece, content)?;
                }
            }
            let end = if content.is_some() { ToAgent::FileEnd } else { ToAgent::FileAbort };
            self.encoder.sink.send(&end)?;
            let size = action.file().map_or(0, |file| file.size);
            self.encoder.sink.progress(size)?;
        }
        if drafts.is_empty() {
            return Ok(());
        }
        self.encoder.sink.set_level(effort.level(), effort.window_log())
    }

    /// The new content, if it is as planned.
    fn content(&self, action: &Action) -> Option<Vec<u8>> {
        let content = new_content(self.inputs.source, self.inputs.local(&action.path)?)?;
        matches_plan(&content, action.file()?.digest).then_some(content)
    }

    /// Begins the frame of a group. Returns how many pieces it has.
    fn begin(
        &mut self,
        frame: Option<PatchFrame>,
        effort: &AdaptiveLevel,
    ) -> Result<usize, PushError> {
        let Some(PatchFrame { parts, pieces }) = frame else { return Ok(usize::MAX) };
        let prefix = self.prefix(&parts)?;
        let sink = &mut *self.encoder.sink;
        parts.iter().try_for_each(|part| sink.send(&ToAgent::PrefixPart(*part)))?;
        let mut check = [0; 8];
        check.copy_from_slice(&blake3::hash(&prefix).as_bytes()[..8]);
        sink.send(&ToAgent::Prefix { check })?;
        sink.set_level_with_prefix(patch_level(effort, self.new_bytes), WINDOW_LOG, &prefix)?;
        Ok(pieces)
    }

    /// The bytes of a prefix, as the agent will read them.
    fn prefix(&self, parts: &[PrefixPart]) -> Result<Vec<u8>, PushError> {
        let mut prefix = vec![0];
        let mut opened: Option<(Reference, Vec<u8>)> = None;
        for part in parts {
            if opened.as_ref().is_none_or(|(reference, _)| *reference != part.reference) {
                opened = Some((part.reference, self.reference(part.reference)?));
            }
            let range = part.offset as usize..(part.offset + part.length) as usize;
            let bytes = opened.as_ref().and_then(|(_, content)| content.get(range));
            prefix.extend_from_slice(bytes.ok_or_else(lost)?);
        }
        Ok(prefix)
    }

    fn reference(&self, reference: Reference) -> Result<Vec<u8>, PushError> {
        let Basis::Existing(known) = reference.basis else { return Err(lost()) };
        let remote = known.of(&self.inputs.state.entries).ok_or_else(lost)?;
        let old = old_content(self.inputs.old, remote).ok_or_else(lost)?;
        Ok(match &self.inputs.drafts.rewriter {
            Some(rewriter) if reference.rewritten => rewriter.rewrite(&old),
            _ => old,
        })
    }

    fn piece(&mut self, piece: &PatchOp, content: &[u8]) -> Result<(), PushError> {
        match piece {
            PatchOp::New { range, .. } => send_literals(self.encoder.sink, &content[range.clone()]),
            PatchOp::Copy { offset, length } => {
                let (offset, length) = (*offset as u64, *length as u64);
                self.encoder.sink.send(&ToAgent::Copy { offset, length })
            }
        }
    }
}

/// Patches are small, so they are compressed at the highest level unless there are many of them.
fn patch_level(effort: &AdaptiveLevel, new_bytes: u64) -> i32 {
    if new_bytes <= SMALL_TRANSFER { 19 } else { effort.level() }
}

fn new_bytes(piece: &PatchOp) -> usize {
    match piece {
        PatchOp::New { range, .. } => range.len(),
        PatchOp::Copy { .. } => 0,
    }
}

/// The draft of the patch at a position of the plan.
fn draft<'p>(
    plan: &Plan,
    inputs: &'p EncodeInputs<'p>,
    position: ActionIndex,
) -> Option<(ActionIndex, Reference, &'p [PatchOp])> {
    let action = position.of(&plan.actions)?;
    let at = inputs.position_of(&action.path)?;
    match inputs.drafts.files.get(&at)? {
        Draft::Compared { reference, pieces } => Some((position, *reference, pieces)),
        Draft::Rewritten(_) => None,
    }
}

/// The store no longer has a content that it had.
fn lost() -> PushError {
    PushError::Vanished
}
