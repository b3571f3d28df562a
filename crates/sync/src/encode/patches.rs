//! Sends patches: groups of files in one zstd frame, with the old surroundings of their changes as
//! its prefix. Frames are compressed on all cores, ahead of the line.

use std::collections::VecDeque;
use std::time::Instant;

use assetsync_core::index::ActionIndex;
use assetsync_core::limits;
use assetsync_core::plan::{Action, Plan, PrefixPart};
use assetsync_core::protocol::{ToAgent, detached_frame};
use assetsync_core::recipe::{Basis, Reference};

use super::in_order::{Jobs, in_order};
use super::inputs::EncodeInputs;
use super::patch_frames::{PatchFrame, pack_frames};
use super::sink::MessageSink;
use crate::cost::levels::{Cpu, Level, PATCHES, soonest_for_patches};
use crate::cost::line::Line;
use crate::draft::contents::{new_content, old_content};
use crate::draft::drafts::Draft;
use crate::draft::exact_diff::PatchOp;
use crate::error::PushError;

/// The part of a new measurement of the cores' speed in the average.
const NEWEST: f64 = 0.5;

/// Frames with less new content than this say nothing of the cores' speed, in bytes.
const MEASURED_BYTES: u64 = 64 * 1024;

/// Sends the patches at `positions` of `plan` on a line.
pub fn send_patches(
    sink: &mut dyn MessageSink,
    plan: &Plan,
    inputs: &EncodeInputs<'_>,
    positions: &[ActionIndex],
    line: Line,
) -> Result<(), PushError> {
    let drafts: Vec<_> = positions.iter().filter_map(|&at| draft(plan, inputs, at)).collect();
    let frames = pack_frames(drafts.iter().map(|draft| (draft.reference, draft.pieces)));
    let pieces = drafts.iter().flat_map(|draft| draft.pieces);
    let threads = rayon::current_num_threads();
    let mut sender = PatchSender {
        sink,
        plan,
        inputs,
        line,
        cpu: Cpu { cores: threads, speed: 1.0 },
        bytes_left: pieces.map(PatchOp::new_bytes).sum(),
        drafts: drafts.into(),
        frames: frames.into(),
        piece: 0,
        content: None,
    };
    in_order(&mut sender, threads, |job: FrameJob| job.compress(inputs))
}

/// A patch of the plan.
#[derive(Clone, Copy)]
struct PatchDraft<'p> {
    position: ActionIndex,
    reference: Reference,
    pieces: &'p [PatchOp],
}

struct PatchSender<'p> {
    sink: &'p mut dyn MessageSink,
    plan: &'p Plan,
    inputs: &'p EncodeInputs<'p>,
    line: Line,
    cpu: Cpu,
    /// Bytes of new content in frames that are not begun.
    bytes_left: u64,
    /// Patches that are not finished.
    drafts: VecDeque<PatchDraft<'p>>,
    frames: VecDeque<PatchFrame>,
    /// The next piece of the first of these patches.
    piece: usize,
    /// Its new content once it has begun; `None` inside if it is not as planned.
    content: Option<Option<Vec<u8>>>,
}

/// A frame to be compressed.
struct FrameJob {
    parts: Vec<PrefixPart>,
    /// The messages that announce the prefix, but for the last one.
    announcement: Vec<u8>,
    /// The messages of the frame.
    messages: Vec<u8>,
    level: Level,
    /// Bytes of new content.
    new_bytes: u64,
    /// Bytes of the files that end in the frame.
    file_bytes: u64,
}

/// A compressed frame.
struct CompressedFrame {
    announcement: Vec<u8>,
    /// The check of the prefix, if there is one.
    check: Option<[u8; 8]>,
    frame: Vec<u8>,
    file_bytes: u64,
    /// The speed of the core, if it was measured.
    speed: Option<f64>,
}

impl Jobs for PatchSender<'_> {
    type Job = FrameJob;
    type Result = Result<CompressedFrame, PushError>;

    fn next(&mut self) -> Result<Option<FrameJob>, PushError> {
        if self.drafts.is_empty() {
            return Ok(None);
        }
        // Patches without pieces have no frame of their own.
        let PatchFrame { parts, pieces } = self.frames.pop_front().unwrap_or_default();
        let line = self.line.updated(self.sink.line_rate(self.line.bytes_per_second()));
        let (mut announcement, new_bytes, file_bytes) = (Vec::new(), 0, 0);
        for part in &parts {
            self.sink.outbox().encode(&ToAgent::PrefixPart(*part), &mut announcement);
        }
        let (messages, level) = (Vec::new(), PATCHES[0]);
        let mut job = FrameJob { parts, announcement, messages, level, new_bytes, file_bytes };
        let is_last = self.frames.is_empty();
        self.fill(&mut job, if is_last { usize::MAX } else { pieces });
        job.level = soonest_for_patches([self.bytes_left, job.new_bytes], line, self.cpu);
        self.bytes_left -= job.new_bytes;
        Ok(Some(job))
    }

    fn take(&mut self, result: Result<CompressedFrame, PushError>) -> Result<(), PushError> {
        let CompressedFrame { announcement, check, frame, file_bytes, speed } = result?;
        if let Some(speed) = speed.filter(|_| !self.line.is_metered) {
            self.cpu.speed += (speed - self.cpu.speed) * NEWEST;
        }
        if let Some(check) = check {
            self.sink.outbox().send_encoded(&announcement);
            self.sink.send(&ToAgent::Prefix { check })?;
        }
        self.sink.send_frame(&frame)?;
        self.sink.progress(file_bytes)
    }

    fn wait(&mut self) -> Result<(), PushError> {
        self.sink.flush()?;
        self.sink.keep_alive()
    }
}

impl PatchSender<'_> {
    /// Encodes up to `pieces` pieces, and where these are all of a file, its end.
    fn fill(&mut self, job: &mut FrameJob, mut pieces: usize) {
        while let Some(draft) = self.drafts.front().copied() {
            let here = (draft.pieces.len() - self.piece).min(pieces);
            let action = &self.plan.actions[draft.position];
            let content = match self.content.take() {
                Some(content) => content,
                None => {
                    self.encode(&ToAgent::FileStart { action: draft.position }, job);
                    self.content(action)
                }
            };
            for piece in &draft.pieces[self.piece..self.piece + here] {
                job.new_bytes += piece.new_bytes();
                if let Some(content) = &content {
                    self.encode_piece(piece, content, job);
                }
            }
            (pieces, self.piece) = (pieces - here, self.piece + here);
            if self.piece < draft.pieces.len() {
                self.content = Some(content);
                return;
            }
            let is_whole = content.is_some();
            self.encode(if is_whole { &ToAgent::FileEnd } else { &ToAgent::FileAbort }, job);
            job.file_bytes += action.file().map_or(0, |file| file.size);
            self.drafts.pop_front();
            self.piece = 0;
            if pieces == 0 {
                return;
            }
        }
    }

    fn encode(&mut self, message: &ToAgent<'_>, job: &mut FrameJob) {
        self.sink.outbox().encode(message, &mut job.messages);
    }

    fn encode_piece(&mut self, piece: &PatchOp, content: &[u8], job: &mut FrameJob) {
        match piece {
            PatchOp::New { range, .. } => {
                for literal in content[range.clone()].chunks(limits::LITERAL_BYTES) {
                    self.encode(&ToAgent::Literal(literal), job);
                }
            }
            PatchOp::Copy { offset, length } => {
                let (offset, length) = (*offset as u64, *length as u64);
                self.encode(&ToAgent::Copy { offset, length }, job);
            }
        }
    }

    /// The new content, if it is as planned.
    fn content(&self, action: &Action) -> Option<Vec<u8>> {
        let local = self.inputs.local(&action.path)?;
        let is_planned = local.digest == action.file()?.digest;
        is_planned.then(|| new_content(self.inputs.source, local)).flatten()
    }
}

impl FrameJob {
    fn compress(self, inputs: &EncodeInputs<'_>) -> Result<CompressedFrame, PushError> {
        let FrameJob { parts, announcement, messages, level, new_bytes, file_bytes } = self;
        let since = Instant::now();
        let prefix = prefix(&parts, inputs)?;
        let frame = detached_frame(level.zstd, &prefix, &messages).map_err(PushError::Io)?;
        let is_measured = new_bytes >= MEASURED_BYTES;
        let speed = is_measured.then(|| level.core_speed(new_bytes, since.elapsed().as_secs_f64()));
        let check = (!parts.is_empty()).then(|| check(&prefix));
        Ok(CompressedFrame { announcement, check, frame, file_bytes, speed })
    }
}

fn check(prefix: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(prefix).as_bytes()[..8]);
    check
}

/// The bytes of a prefix, as the agent will read them.
fn prefix(parts: &[PrefixPart], inputs: &EncodeInputs<'_>) -> Result<Vec<u8>, PushError> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let mut prefix = vec![0];
    let mut opened: Option<(Reference, Vec<u8>)> = None;
    for part in parts {
        if opened.as_ref().is_none_or(|(reference, _)| *reference != part.reference) {
            opened = Some((part.reference, reference(part.reference, inputs)?));
        }
        let range = part.offset as usize..(part.offset + part.length) as usize;
        let bytes = opened.as_ref().and_then(|(_, content)| content.get(range));
        prefix.extend_from_slice(bytes.ok_or_else(lost)?);
    }
    Ok(prefix)
}

fn reference(reference: Reference, inputs: &EncodeInputs<'_>) -> Result<Vec<u8>, PushError> {
    let Basis::Existing(known) = reference.basis else { return Err(lost()) };
    let remote = known.of(&inputs.state.entries).ok_or_else(lost)?;
    let old = old_content(inputs.old, remote).ok_or_else(lost)?;
    Ok(match &inputs.drafts.rewriter {
        Some(rewriter) if reference.rewritten => rewriter.rewrite(&old),
        _ => old,
    })
}

/// The draft of the patch at a position of the plan.
fn draft<'p>(
    plan: &Plan,
    inputs: &EncodeInputs<'p>,
    position: ActionIndex,
) -> Option<PatchDraft<'p>> {
    let action = position.of(&plan.actions)?;
    let at = inputs.position_of(&action.path)?;
    match inputs.drafts.files.get(&at)? {
        Draft::Compared { reference, pieces } => {
            Some(PatchDraft { position, reference: *reference, pieces })
        }
        Draft::Rewritten(_) => None,
    }
}

/// The store no longer has a content that it had.
fn lost() -> PushError {
    PushError::Vanished
}
