//! Encodes a plan and its content: renames, actions, patches, files, and `.gz` files made from
//! them.

use std::time::{Duration, Instant};

use assetsync_core::index::ActionIndex;
use assetsync_core::plan::{Action, Plan};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::Recipe;

use super::adaptive_level::{AdaptiveLevel, LevelChange};
use super::file::Encoder;
use super::gz_splitter::{GzJob, GzSplitter, NextGz};
use super::inputs::EncodeInputs;
use super::patches::PatchSender;
use super::sink::MessageSink;
use crate::connect::link_speed::LinkSpeed;
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
    /// The speed of the link to the destination.
    pub link_speed: LinkSpeed,
    /// Positions of the actions with content, in the order it is sent.
    order: Vec<ActionIndex>,
}

impl<'m> EncodeJob<'m> {
    /// The job of sending `plan`.
    pub fn new(
        plan: &'m Plan,
        inputs: &'m EncodeInputs<'m>,
        sends_renames: bool,
        link_speed: LinkSpeed,
    ) -> EncodeJob<'m> {
        EncodeJob { plan, inputs, sends_renames, link_speed, order: content_order(plan) }
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
        let mut effort = AdaptiveLevel::new(expected_bytes(self.plan), self.link_speed);
        sink.set_level(effort.level(), effort.window_log())?;
        if self.sends_renames {
            send_renames(sink, self.inputs.drafts)?;
        }
        for order in self.plan.wire_actions() {
            sink.send(&ToAgent::Action(order))?;
        }
        sink.send(&ToAgent::PlanEnd)?;
        self.encode_content(sink, &mut effort)
    }

    fn encode_content(
        &self,
        sink: &mut dyn MessageSink,
        effort: &mut AdaptiveLevel,
    ) -> Result<(), PushError> {
        let EncodeJob { plan, inputs, order, .. } = self;
        let mut tree = inputs.source.tree().map_err(PushError::Io)?;
        let patches = order.iter().take_while(|&&at| is_patch(&plan.actions[at])).count();
        let (patches, order) = order.split_at(patches);
        let (order, regzips) = regzip_jobs(plan, order, inputs);
        let regzips = GzSplitter::new(regzips);
        let encoder = Encoder { tree: &mut tree, sink, answers: inputs.answers };
        let mut patching = PatchSender { encoder, plan, inputs, new_bytes: 0 };
        patching.encode(patches, effort)?;
        let encoder = patching.encoder;
        std::thread::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|| {
                    regzips.work(|job| {
                        corrections(inputs, job);
                    });
                });
            }
            let sent = self.send_files(encoder, order, effort, &regzips);
            regzips.stop();
            sent
        })
    }

    /// Sends the files of the actions in `order`, and those of `regzips` when they are ready.
    fn send_files(
        &self,
        mut encoder: Encoder<'_>,
        order: &[ActionIndex],
        effort: &mut AdaptiveLevel,
        regzips: &GzSplitter,
    ) -> Result<(), PushError> {
        let inputs = self.inputs;
        let action = |position: ActionIndex| &self.plan.actions[position];
        let mut judged = LinkSample::new(encoder.sink);
        for &position in order {
            // The content of their plain siblings has been sent.
            if is_precompressed(action(position).path.as_bytes()) {
                while let Some(job) = regzips.ready() {
                    let made = corrections(inputs, &job);
                    encoder.encode_regzip(job.position, action(job.position), made)?;
                }
            }
            encoder.encode(position, action(position))?;
            judged.judge(effort, encoder.sink)?;
        }
        loop {
            match regzips.next(WAIT_LIMIT) {
                NextGz::Done(job) => {
                    let made = corrections(inputs, &job);
                    encoder.encode_regzip(job.position, action(job.position), made)?;
                }
                NextGz::Left(job) => {
                    encoder.encode_regzip(job.position, action(job.position), None)?;
                }
                NextGz::Wait => {
                    encoder.sink.flush()?;
                    encoder.sink.keep_alive()?;
                }
                NextGz::Over => return Ok(()),
            }
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

/// Approximate number of bytes to compress.
fn expected_bytes(plan: &Plan) -> u64 {
    let files = plan.actions.iter().filter_map(Action::file);
    let bytes = files.map(|file| match file.recipe {
        Recipe::Whole => file.size,
        Recipe::Patch { .. } | Recipe::Delta { .. } => file.size / 8,
        _ => 0,
    });
    bytes.sum()
}

fn is_patch(action: &Action) -> bool {
    action.file().is_some_and(|file| matches!(file.recipe, Recipe::Patch { .. }))
}

fn content_bytes(action: &Action) -> u64 {
    action.file().map_or(0, |file| file.size)
}

/// When the link was judged last.
struct LinkSample {
    at: Instant,
    blocked: Duration,
    sent: u64,
}

impl LinkSample {
    fn new(sink: &dyn MessageSink) -> LinkSample {
        LinkSample { at: Instant::now(), blocked: sink.blocked(), sent: sink.sent() }
    }

    fn judge(
        &mut self,
        effort: &mut AdaptiveLevel,
        sink: &mut dyn MessageSink,
    ) -> Result<(), PushError> {
        let blocked = sink.blocked() - self.blocked;
        match effort.adapt(self.at.elapsed(), blocked, self.sent..sink.sent()) {
            LevelChange::TooEarly => return Ok(()),
            LevelChange::Stay => {}
            LevelChange::Change => sink.set_level(effort.level(), effort.window_log())?,
        }
        *self = LinkSample::new(sink);
        Ok(())
    }
}
