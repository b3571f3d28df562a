//! Encodes a plan and its content: renames, actions, patches, files, and `.gz` files made from
//! them.

use std::time::{Duration, Instant};

use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, Plan};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::Recipe;

use super::content_left::ContentLeft;
use super::file::Encoder;
use super::file_reader::FilePiece;
use super::gz_splitter::{GzJob, GzSplitter, NextGz};
use super::inputs::EncodeInputs;
use super::patches::send_patches;
use super::read_ahead::{PiecesAhead, ReadAhead};
use super::sink::MessageSink;
use super::stream_level::{Period, StreamLevel};
use crate::cost::line::Line;
use crate::draft::drafts::Drafts;
use crate::error::PushError;
use crate::plan::planner::content_order;
use crate::scan::compressed_names::is_precompressed;

/// How long to wait for a `.gz` file before sending a heartbeat.
const WAIT_LIMIT: Duration = Duration::from_millis(200);

/// A plan to be encoded, and all that its encoding depends on.
pub struct EncodeJob<'m> {
    /// The plan.
    pub plan: &'m Plan,
    /// The inputs of an encoding.
    pub inputs: &'m EncodeInputs<'m>,
    /// Whether the renames have not been sent yet.
    pub sends_renames: bool,
    /// The line to the destination, as far as it is known.
    pub line: Line,
    /// Positions of the actions with content, in the order it is sent.
    order: Vec<ActionIndex>,
}

impl<'m> EncodeJob<'m> {
    /// The job of sending `plan`.
    pub fn new(
        plan: &'m Plan,
        inputs: &'m EncodeInputs<'m>,
        sends_renames: bool,
        line: Line,
    ) -> EncodeJob<'m> {
        EncodeJob { plan, inputs, sends_renames, line, order: content_order(plan) }
    }

    /// Number of files with content.
    pub fn files(&self) -> u64 {
        self.order.len() as u64
    }

    /// Their bytes of content.
    pub fn bytes(&self) -> u64 {
        self.actions().map(content_bytes).sum()
    }

    /// The actions with content, in the order it is sent.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.order.iter().map(|&at| &self.plan.actions[at])
    }

    /// Encodes all of it.
    pub fn encode(&self, sink: &mut dyn MessageSink) -> Result<(), PushError> {
        let mut level = StreamLevel::new(ContentLeft::of(self.plan).bytes(), self.line);
        sink.set_level(level.level(), level.window_log())?;
        if self.sends_renames {
            send_renames(sink, self.inputs.drafts)?;
        }
        for order in self.plan.wire_actions() {
            sink.send(&ToAgent::Action(order))?;
        }
        sink.send(&ToAgent::PlanEnd)?;
        self.encode_content(sink, &mut level)
    }

    fn encode_content(
        &self,
        sink: &mut dyn MessageSink,
        level: &mut StreamLevel,
    ) -> Result<(), PushError> {
        let EncodeJob { plan, inputs, order, .. } = self;
        let patches = order.iter().take_while(|&&at| is_patch(&plan.actions[at])).count();
        let (patches, order) = order.split_at(patches);
        let (order, regzips) = regzip_jobs(plan, order, inputs);
        let regzips = GzSplitter::new(regzips);
        send_patches(sink, plan, inputs, patches, self.line)?;
        let tree = || inputs.source.tree().map_err(PushError::Io);
        let (mut tree, tree_ahead) = (tree()?, tree()?);
        let encoder = Encoder { tree: &mut tree, sink, deltas: inputs.deltas };
        let read_ahead = ReadAhead::new(level.line());
        std::thread::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|| {
                    regzips.work(|job| {
                        corrections(inputs, job);
                    });
                });
            }
            let pieces = read_ahead.start(scope, plan, order, inputs, tree_ahead);
            let follow = |line: Line| {
                regzips.follow(line);
                read_ahead.follow(line);
            };
            let sent = self.send_files(encoder, pieces, level, &regzips, &follow);
            regzips.stop();
            sent
        })
    }

    /// Sends the files of `pieces`, and those of `regzips` when they are ready. What is found out
    /// about the line is told to `follow`.
    fn send_files(
        &self,
        mut encoder: Encoder<'_>,
        pieces: PiecesAhead,
        level: &mut StreamLevel,
        regzips: &GzSplitter,
        follow: &dyn Fn(Line),
    ) -> Result<(), PushError> {
        let action = |position: ActionIndex| &self.plan.actions[position];
        let mut look = Look::new(ContentLeft::of(self.plan), encoder.sink);
        while let Some(piece) = pieces.next(|| wait(encoder.sink))? {
            let file = action(piece.position);
            // The content of their plain siblings has been sent.
            if piece.is_first && is_precompressed(file.path.as_bytes()) {
                while let Some(job) = regzips.ready() {
                    let made = corrections(self.inputs, &job);
                    encoder.encode_regzip(job.position, action(job.position), made)?;
                }
            }
            encoder.encode(&piece)?;
            look.note(file, &piece, level, encoder.sink)?;
            if piece.end.is_some() {
                look.again(level, encoder.sink)?;
                follow(level.line());
            }
        }
        self.send_regzips(encoder, level.line(), regzips)
    }

    /// Sends the files of `regzips` when they are ready, or as they are.
    fn send_regzips(
        &self,
        mut encoder: Encoder<'_>,
        line: Line,
        regzips: &GzSplitter,
    ) -> Result<(), PushError> {
        loop {
            regzips.follow(line.updated(encoder.sink.line_rate(line.bytes_per_second())));
            let (job, made) = match regzips.next(WAIT_LIMIT) {
                NextGz::Done(job) => (job, corrections(self.inputs, &job)),
                NextGz::Left(job) => (job, None),
                NextGz::Wait => {
                    wait(encoder.sink)?;
                    continue;
                }
                NextGz::Over => return Ok(()),
            };
            encoder.encode_regzip(job.position, &self.plan.actions[job.position], made)?;
        }
    }
}

/// Sends the renames.
pub fn send_renames(sink: &mut dyn MessageSink, drafts: &Drafts) -> Result<(), PushError> {
    for (old, new) in drafts.substitutes.iter().cloned() {
        sink.send(&ToAgent::Substitute { old, new })?;
    }
    let mut renames = drafts.renames.iter();
    renames.try_for_each(|(_, rename)| sink.send(&ToAgent::Rename(rename.clone())))
}

fn corrections<'m>(inputs: &'m EncodeInputs<'_>, job: &GzJob) -> Option<&'m [u8]> {
    let regzip = inputs.drafts.regzips.get(&job.at)?;
    regzip.corrections(inputs.source, job.at)
}

/// Lets the agent work on what has been sent, while nothing more is ready.
fn wait(sink: &mut dyn MessageSink) -> Result<(), PushError> {
    sink.flush()?;
    sink.keep_alive()
}

/// Splits off the end of `order`: files that are made from plain siblings.
fn regzip_jobs<'o>(
    plan: &Plan,
    order: &'o [ActionIndex],
    inputs: &EncodeInputs<'_>,
) -> (&'o [ActionIndex], Vec<GzJob>) {
    let job = |&position: &ActionIndex| {
        let action = &plan.actions[position];
        let Recipe::Regzip { .. } = action.file()?.recipe else { return None };
        let at = inputs.position_of(&action.path)?;
        Some(GzJob { position, at, size: content_bytes(action) })
    };
    let first = order.iter().position(|position| job(position).is_some()).unwrap_or(order.len());
    let (order, regzips) = order.split_at(first);
    (order, regzips.iter().filter_map(job).collect())
}

fn is_patch(action: &Action) -> bool {
    action.file().is_some_and(|file| matches!(file.recipe, Recipe::Patch { .. }))
}

fn content_bytes(action: &Action) -> u64 {
    action.file().map_or(0, |file| file.size)
}

/// The last look at the line.
struct Look {
    at: Instant,
    blocked: Duration,
    /// Bytes of content that were compressed since.
    bytes: u64,
    left: ContentLeft,
}

impl Look {
    fn new(left: ContentLeft, sink: &dyn MessageSink) -> Look {
        Look { at: Instant::now(), blocked: sink.blocked(), bytes: 0, left }
    }

    /// Notes a piece of a file that was sent. If it shows that more or less is left than was
    /// expected, the level is chosen anew.
    fn note(
        &mut self,
        action: &Action,
        piece: &FilePiece,
        level: &mut StreamLevel,
        sink: &mut dyn MessageSink,
    ) -> Result<(), PushError> {
        self.bytes += piece.literal_bytes();
        if let Some(found) = self.left.subtract(action, piece)
            && level.expect(self.left.bytes(), self.left.compressed(), found)
        {
            sink.set_level(level.level(), level.window_log())?;
        }
        Ok(())
    }

    /// Looks again, if it is time.
    fn again(
        &mut self,
        level: &mut StreamLevel,
        sink: &mut dyn MessageSink,
    ) -> Result<(), PushError> {
        let elapsed = self.at.elapsed();
        if !level.is_due(elapsed) {
            return Ok(());
        }
        let period = Period {
            elapsed,
            blocked: sink.blocked() - self.blocked,
            bytes: self.bytes,
            left: self.left.bytes(),
            line_rate: sink.line_rate(level.line().bytes_per_second()),
        };
        if level.adapt(period) {
            sink.set_level(level.level(), level.window_log())?;
        }
        *self = Look::new(self.left, sink);
        Ok(())
    }
}
