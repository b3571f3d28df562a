//! Encodes a plan and its content: what names succeed others, the orders, patches, files, and `.gz` files made of
//! them.

use std::time::{Duration, Instant};

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
    /// What content is made from.
    pub materials: &'m EncodeInputs<'m>,
    /// Whether it is still to be told which paths succeed which.
    pub sends_renames: bool,
    /// How far the destination is.
    pub link_speed: LinkSpeed,
    /// Positions of the actions whose content travels, in its order.
    order: Vec<u32>,
}

impl<'m> EncodeJob<'m> {
    /// What carrying out `plan` takes.
    pub fn new(
        plan: &'m Plan,
        materials: &'m EncodeInputs<'m>,
        sends_renames: bool,
        link_speed: LinkSpeed,
    ) -> EncodeJob<'m> {
        EncodeJob { plan, materials, sends_renames, link_speed, order: content_order(plan) }
    }

    /// Files whose content travels.
    pub fn files(&self) -> u64 {
        self.order.len() as u64
    }

    /// Their bytes of content.
    pub fn bytes(&self) -> u64 {
        self.order.iter().map(|&at| content_bytes(&self.plan.actions[at as usize])).sum()
    }

    /// Encodes all of it.
    pub fn encode(&self, outlet: &mut dyn MessageSink) -> Result<(), PushError> {
        let mut effort = AdaptiveLevel::new(expected_bytes(self.plan), self.link_speed);
        outlet.set_level(effort.level(), effort.window_log())?;
        if self.sends_renames {
            send_renames(outlet, self.materials.drafts)?;
        }
        for order in self.plan.wire_actions() {
            outlet.send(&ToAgent::Action(order))?;
        }
        outlet.send(&ToAgent::PlanEnd)?;
        self.encode_content(outlet, &mut effort)
    }

    fn encode_content(
        &self,
        outlet: &mut dyn MessageSink,
        effort: &mut AdaptiveLevel,
    ) -> Result<(), PushError> {
        let EncodeJob { plan, materials, order, .. } = self;
        let mut tree = materials.source.tree().map_err(PushError::Io)?;
        let patches = order.iter().take_while(|&&at| is_patch(&plan.actions[at as usize])).count();
        let (patches, order) = order.split_at(patches);
        let (order, regzips) = regzip_jobs(plan, order, materials);
        let regzips = GzSplitter::new(regzips);
        let encoder = Encoder { tree: &mut tree, outlet, answers: materials.answers };
        let mut patching = PatchSender { encoder, plan, materials, new_bytes: 0 };
        patching.encode(patches, effort)?;
        let encoder = patching.encoder;
        std::thread::scope(|scope| {
            for _ in 0..rayon::current_num_threads() {
                scope.spawn(|| {
                    regzips.work(|job| {
                        corrections(materials, job);
                    });
                });
            }
            let sent = self.send_files(encoder, order, effort, &regzips);
            regzips.stop();
            sent
        })
    }

    /// Sends the files of the actions in `order`, and those of `regzips` as they get ready.
    fn send_files(
        &self,
        mut encoder: Encoder<'_>,
        order: &[u32],
        effort: &mut AdaptiveLevel,
        regzips: &GzSplitter,
    ) -> Result<(), PushError> {
        let materials = self.materials;
        let action = |position: u32| &self.plan.actions[position as usize];
        let mut judged = LinkSample::new(encoder.outlet);
        for &position in order {
            // Their plain siblings are made of content that has been sent by now.
            if is_precompressed(action(position).path.as_bytes()) {
                while let Some(job) = regzips.ready() {
                    let made = corrections(materials, &job);
                    encoder.encode_regzip(job.position, action(job.position), made)?;
                }
            }
            encoder.encode(position, action(position))?;
            judged.judge(effort, encoder.outlet)?;
        }
        loop {
            match regzips.next(WAIT_LIMIT) {
                NextGz::Done(job) => {
                    let made = corrections(materials, &job);
                    encoder.encode_regzip(job.position, action(job.position), made)?;
                }
                NextGz::Left(job) => {
                    encoder.encode_regzip(job.position, action(job.position), None)?;
                }
                NextGz::Wait => {
                    encoder.outlet.flush()?;
                    encoder.outlet.keep_alive()?;
                }
                NextGz::Over => return Ok(()),
            }
        }
    }
}

/// Tells which paths succeed which.
pub fn send_renames(outlet: &mut dyn MessageSink, drafts: &Drafts) -> Result<(), PushError> {
    for (old, new) in drafts.substitutes.iter().cloned() {
        outlet.send(&ToAgent::Substitute { old, new })?;
    }
    let mut renames = drafts.renames.iter();
    renames.try_for_each(|(_, rename)| outlet.send(&ToAgent::Rename(rename.clone())))
}

fn corrections<'m>(materials: &'m EncodeInputs<'_>, job: &GzJob) -> Option<&'m [u8]> {
    let regzip = materials.drafts.regzips.get(&job.at)?;
    regzip.corrections(materials.source, job.at)
}

/// Splits off, from the end of `order`, what is made from plain siblings.
fn regzip_jobs<'o>(
    plan: &Plan,
    order: &'o [u32],
    materials: &EncodeInputs<'_>,
) -> (&'o [u32], Vec<GzJob>) {
    let job = |&position: &u32| {
        let action = &plan.actions[position as usize];
        let Recipe::Regzip { .. } = action.file()?.recipe else { return None };
        let at = materials.position_of(&action.path)?;
        Some(GzJob { position, at, size: content_bytes(action) })
    };
    let first = order.iter().position(|position| job(position).is_some()).unwrap_or(order.len());
    let (order, regzips) = order.split_at(first);
    (order, regzips.iter().filter_map(job).collect())
}

/// About how many bytes of content are to be compressed.
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
    fn new(outlet: &dyn MessageSink) -> LinkSample {
        LinkSample { at: Instant::now(), blocked: outlet.blocked(), sent: outlet.sent() }
    }

    fn judge(
        &mut self,
        effort: &mut AdaptiveLevel,
        outlet: &mut dyn MessageSink,
    ) -> Result<(), PushError> {
        let blocked = outlet.blocked() - self.blocked;
        match effort.adapt(self.at.elapsed(), blocked, self.sent..outlet.sent()) {
            LevelChange::TooEarly => return Ok(()),
            LevelChange::Stay => {}
            LevelChange::Change => outlet.set_level(effort.level(), effort.window_log())?,
        }
        *self = LinkSample::new(outlet);
        Ok(())
    }
}
