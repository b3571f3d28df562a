//! What a push did with each file, to be explained afterwards.

use assetsync_core::index::ActionIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{FileAction, Plan};
use assetsync_core::recipe::{Basis, Recipe, Recipes, Reference};
use assetsync_core::state::State;

use crate::encode::inputs::EncodeInputs;
use crate::plan::planner::Offers;
use crate::store::last_push::{BasisName, FileRecord, LastPush, Offer};

/// What is known of a push besides its plan.
pub struct FileRecords<'m> {
    /// What its content was encoded from.
    pub inputs: EncodeInputs<'m>,
    /// What was possible.
    pub offers: &'m Offers,
    /// What was to be used on that line.
    pub recipes: Recipes,
}

impl FileRecords<'_> {
    /// The record of carrying out a plan; what was sent is not in it yet.
    pub fn of(&self, plan: &Plan) -> LastPush {
        let files = plan.indices().filter_map(|at| self.record(plan, at)).collect();
        let push = LastPush { files, ..LastPush::default() };
        let new_content = push.files.iter().filter_map(|file| file.new_content).sum();
        LastPush { new_content, ..push }.bounded()
    }

    fn record(&self, plan: &Plan, at: ActionIndex) -> Option<FileRecord> {
        let action = &plan.actions[at];
        let file = action.file()?;
        let offers = self.offers.get(&at).into_iter().flatten();
        let offer = |&(recipe, bytes): &(Recipe, u64)| Offer {
            recipe: recipe.name(),
            bytes,
            allowed: self.recipes.allow(recipe),
        };
        Some(FileRecord {
            path: action.path.clone(),
            recipe: file.recipe.name(),
            basis: basis(file.recipe).and_then(|basis| name(basis, plan, self.inputs.state)),
            size: file.size,
            new_content: self.new_content(&action.path, at, file),
            existed: action.known.is_some(),
            offers: offers.map(offer).collect(),
        })
    }

    /// Bytes of new content of a file, if they are known here.
    fn new_content(&self, path: &RelPath, at: ActionIndex, file: &FileAction) -> Option<u64> {
        let (inputs, source) = (&self.inputs, self.inputs.position_of(path)?);
        match file.recipe {
            Recipe::Keep | Recipe::Touch | Recipe::Copy { .. } | Recipe::Rewrite { .. } => Some(0),
            Recipe::Patch { .. } => Some(inputs.drafts.files.get(&source)?.new_bytes()),
            Recipe::Delta { .. } => inputs.deltas.get(at),
            Recipe::Regzip { .. } => {
                let corrections = inputs.drafts.regzips.get(&source)?.correction_bytes()?;
                Some(corrections.unwrap_or(file.size))
            }
            Recipe::Whole => Some(file.size),
        }
    }
}

fn basis(recipe: Recipe) -> Option<Basis> {
    match recipe {
        Recipe::Keep | Recipe::Touch | Recipe::Whole => None,
        Recipe::Copy { from: basis }
        | Recipe::Rewrite { basis }
        | Recipe::Regzip { plain: basis }
        | Recipe::Patch { reference: Reference { basis, .. } }
        | Recipe::Delta { reference: Reference { basis, .. }, .. } => Some(basis),
    }
}

fn name(basis: Basis, plan: &Plan, state: &State) -> Option<BasisName> {
    Some(match basis {
        Basis::Existing(known) => BasisName::Existing(known.of(&state.entries)?.entry.path.clone()),
        Basis::Planned(at) => BasisName::Planned(at.of(&plan.actions)?.path.clone()),
        Basis::Partial(_) => BasisName::Partial,
        Basis::Retained(_) => BasisName::Retained,
    })
}
