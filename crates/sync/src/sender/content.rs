//! Encodes a plan and its content: what names succeed others, the orders, patches, files, and `.gz` files made of
//! them.

use std::time::{Duration, Instant};

use super::distance::Distance;
use super::drafts::Drafts;
use super::effort::{Effort, Verdict};
use super::encode::Encoder;
use super::error::PushError;
use super::outlet::Outlet;
use super::patching::Patching;
use super::planner::content_order;
use super::regzips::{Job, Outcome, Regzips};
use super::session::Materials;
use crate::compressed_names::is_precompressed;
use crate::plan::{Action, Plan};
use crate::proto::Message;
use crate::recipe::Recipe;

/// A plan to be encoded, and all that its encoding depends on.
pub struct Work<'m> {
    /// The plan.
    pub plan: &'m Plan,
    /// What content is made from.
    pub materials: &'m Materials<'m>,
    /// Whether it is still to be told which paths succeed which.
    pub tells_renames: bool,
    /// How far the destination is.
    pub distance: Distance,
    /// Positions of the actions whose content travels, in its order.
    order: Vec<u32>,
}

impl<'m> Work<'m> {
    /// What carrying out `plan` takes.
    pub fn new(
        plan: &'m Plan,
        materials: &'m Materials<'m>,
        tells_renames: bool,
        distance: Distance,
    ) -> Work<'m> {
        Work { plan, materials, tells_renames, distance, order: content_order(plan) }
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
    pub fn encode(&self, outlet: &mut dyn Outlet) -> Result<(), PushError> {
        let mut effort = Effort::new(expected_bytes(self.plan), self.distance);
        outlet.compress_at(effort.level(), effort.window_log())?;
        if self.tells_renames {
            tell_renames(outlet, self.materials.comparison.drafts())?;
        }
        for order in self.plan.orders() {
            outlet.send(&Message::Action(order))?;
        }
        outlet.send(&Message::PlanEnd)?;
        self.encode_content(outlet, &mut effort)
    }

    fn encode_content(
        &self,
        outlet: &mut dyn Outlet,
        effort: &mut Effort,
    ) -> Result<(), PushError> {
        let Work { plan, materials, order, .. } = self;
        let mut tree = materials.source.tree().map_err(PushError::Io)?;
        let patches = order.iter().take_while(|&&at| is_patch(&plan.actions[at as usize])).count();
        let (patches, order) = order.split_at(patches);
        let (order, regzips) = regzip_jobs(plan, order, materials);
        let regzips = Regzips::new(regzips);
        let encoder = Encoder { tree: &mut tree, outlet, answers: materials.answers };
        let mut patching = Patching { encoder, plan, materials, new_bytes: 0 };
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
            let sent = send_files(encoder, plan, order, effort, &regzips, materials);
            regzips.stop();
            sent
        })
    }
}

/// Tells which paths succeed which.
pub fn tell_renames(outlet: &mut dyn Outlet, drafts: &Drafts) -> Result<(), PushError> {
    for (old, new) in &drafts.substitutes {
        outlet.send(&Message::Substitute { old, new })?;
    }
    let mut renames = drafts.renames.iter();
    renames.try_for_each(|(_, rename)| outlet.send(&Message::Rename(rename.clone())))
}

/// Sends the files of the actions in `order`, and those of `regzips` as they get ready.
fn send_files(
    mut encoder: Encoder<'_>,
    plan: &Plan,
    order: &[u32],
    effort: &mut Effort,
    regzips: &Regzips,
    materials: &Materials<'_>,
) -> Result<(), PushError> {
    /// How long to wait for a file before showing a sign of life.
    const PATIENCE: Duration = Duration::from_millis(200);
    let action = |position: u32| &plan.actions[position as usize];
    let mut judged = Judged::new(encoder.outlet);
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
        match regzips.next(PATIENCE) {
            Outcome::Done(job) => {
                let made = corrections(materials, &job);
                encoder.encode_regzip(job.position, action(job.position), made)?;
            }
            Outcome::Left(job) => {
                encoder.encode_regzip(job.position, action(job.position), None)?;
            }
            Outcome::Wait => {
                encoder.outlet.flush()?;
                encoder.outlet.tick()?;
            }
            Outcome::Over => return Ok(()),
        }
    }
}

fn corrections<'m>(materials: &'m Materials<'_>, job: &Job) -> Option<&'m [u8]> {
    let regzip = materials.comparison.regzips().get(&job.at)?;
    regzip.corrections(materials.source, job.at)
}

/// Splits off, from the end of `order`, what is made from plain siblings.
fn regzip_jobs<'o>(
    plan: &Plan,
    order: &'o [u32],
    materials: &Materials<'_>,
) -> (&'o [u32], Vec<Job>) {
    let comparison = materials.comparison;
    let job = |&position: &u32| {
        let action = &plan.actions[position as usize];
        let Recipe::Regzip { .. } = action.file()?.recipe else { return None };
        let at = comparison.position_of(&action.path)?;
        Some(Job { position, at, size: content_bytes(action) })
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
struct Judged {
    at: Instant,
    blocked: Duration,
    sent: u64,
}

impl Judged {
    fn new(outlet: &dyn Outlet) -> Judged {
        Judged { at: Instant::now(), blocked: outlet.blocked(), sent: outlet.sent() }
    }

    fn judge(&mut self, effort: &mut Effort, outlet: &mut dyn Outlet) -> Result<(), PushError> {
        let blocked = outlet.blocked() - self.blocked;
        match effort.adapt(self.at.elapsed(), blocked, self.sent..outlet.sent()) {
            Verdict::TooEarly => return Ok(()),
            Verdict::Stay => {}
            Verdict::Change => outlet.compress_at(effort.level(), effort.window_log())?,
        }
        *self = Judged::new(outlet);
        Ok(())
    }
}
