//! The planner: a pure function of the source, the destination's state and the answers to its
//! questions.

use std::collections::HashMap;

use assetsync_core::digest::ShortDigest;
use assetsync_core::entry::{CARRIED_MODE, Entry, Kind};
use assetsync_core::index::{ActionIndex, EntryIndex, Index};
use assetsync_core::plan::{Action, ActionKind, FileAction, Plan};
use assetsync_core::recipe::{Basis, ContentIndex, Recipe, RecipeInputs, Reference};

use super::decision::DeleteAt;
use super::guards::Obstruction;
use crate::compare::answers::{Answer, Answers};
use crate::compare::comparison::Comparison;
use crate::compare::content_match::ContentMatch;
use crate::compare::source_index::SourceIndex;
use crate::draft::drafts::Draft;
use crate::scan::compressed_names::is_precompressed;

impl Comparison<'_> {
    /// Makes the plan from all answers, or returns the obstructions.
    pub fn plan(&self, answers: &Answers) -> Result<Plan, Vec<Obstruction>> {
        self.plan_with_offers(answers).map(|(plan, _)| plan)
    }

    /// The same, with what else was possible.
    pub fn plan_with_offers(&self, answers: &Answers) -> Result<(Plan, Offers), Vec<Obstruction>> {
        let mut planning = PlanBuilder {
            comparison: self,
            answers,
            contents: ContentIndex::of(self.state).with_retained(self.retained_contents),
            positions: HashMap::new(),
            respelled: self.aliases.iter().map(|(&at, &known)| (known, at)).collect(),
            plan: Plan { renames: self.drafts.renames.clone(), ..Plan::default() },
            in_the_way: Vec::new(),
            offers: Offers::new(),
        };
        planning.run();
        let PlanBuilder { plan, offers, in_the_way, .. } = planning;
        if in_the_way.is_empty() { Ok((plan, offers)) } else { Err(in_the_way) }
    }
}

/// The recipes that were possible for each file of a plan, and about how many bytes each sends.
pub type Offers = HashMap<ActionIndex, Vec<(Recipe, u64)>>;

struct PlanBuilder<'c, 'a> {
    comparison: &'c Comparison<'a>,
    answers: &'c Answers,
    contents: ContentIndex,
    /// Positions in the plan of source files, by position in the source.
    positions: HashMap<SourceIndex, ActionIndex>,
    /// Existing entries that the source spells in another way: positions in the source by position
    /// in the state.
    respelled: HashMap<EntryIndex, SourceIndex>,
    plan: Plan,
    in_the_way: Vec<Obstruction>,
    offers: Offers,
}

impl<'a> PlanBuilder<'_, 'a> {
    /// Merges the source with the extraneous entries, in tree order.
    fn run(&mut self) {
        let state = self.comparison.state;
        let mut remote = EntryIndex::new(0);
        for (at, local) in Index::enumerate(self.comparison.source) {
            let path = &local.entry.path;
            while remote.of(&state.entries).is_some_and(|there| there.entry.path < *path) {
                self.extraneous(remote);
                remote = remote.next();
            }
            if self.comparison.known[at].is_some() {
                remote = remote.next();
            }
            self.wanted(at);
        }
        let rest = remote.number()..state.entries.len() as u32;
        Index::range(rest).for_each(|remote| self.extraneous(remote));
    }

    /// Plans an extraneous entry.
    fn extraneous(&mut self, remote: EntryIndex) {
        let entry = &self.comparison.state.entries[remote].entry;
        let what = match (self.respelled.get(&remote), self.deleted(entry)) {
            (Some(&at), _) => {
                ActionKind::Respell { to: self.comparison.source[at].entry.path.clone() }
            }
            (None, Some(DeleteAt::Publishing)) => ActionKind::Delete,
            (None, Some(DeleteAt::Pruning)) => ActionKind::Prune,
            (None, None) => return,
        };
        let path = entry.path.clone();
        self.plan.actions.push(Action { path, known: Some(remote), what });
    }

    /// When an extraneous entry is deleted, if it is.
    fn deleted(&self, entry: &Entry) -> Option<DeleteAt> {
        self.comparison.deletes.when(&entry.path).filter(|_| !self.is_protected(entry))
    }

    fn is_protected(&self, entry: &Entry) -> bool {
        let is_dir = entry.kind == Kind::Dir;
        self.comparison.policy.filter.covers(entry.path.as_bytes(), is_dir)
    }

    /// Plans an entry of the source.
    fn wanted(&mut self, at: SourceIndex) {
        let local = &self.comparison.source[at];
        let existing = self.existing(at);
        self.check_way(&local.entry, existing);
        let what = match &local.entry.kind {
            Kind::File { size } => self.file(at, *size),
            Kind::Dir => dir(&local.entry, existing),
            Kind::Symlink { target } => self.symlink(&local.entry, target, existing),
            Kind::Special => None,
        };
        if let Some(what) = what {
            let path = local.entry.path.clone();
            self.plan.actions.push(Action { path, known: self.comparison.known[at], what });
        }
    }

    /// The existing entry at the path of a source entry, or at another spelling of it.
    fn existing(&self, at: SourceIndex) -> Option<&'a Entry> {
        let comparison = self.comparison;
        let known = comparison.known[at].or_else(|| comparison.aliases.get(&at).copied())?;
        known.of(&comparison.state.entries).map(|remote| &remote.entry)
    }

    /// Whether a file is up to date except for the spelling of its path.
    fn is_only_respelled(&self, at: SourceIndex, local: &Entry) -> bool {
        let clock = self.comparison.policy.clock;
        self.comparison.aliases.contains_key(&at)
            && self.comparison.same[at] == ContentMatch::Yes
            && self.existing(at).is_some_and(|there| {
                clock.same(there.mtime, local.mtime) && there.mode == local.mode & CARRIED_MODE
            })
    }

    /// Records an obstruction if a directory has to be replaced and something in it may not be
    /// deleted.
    fn check_way(&mut self, local: &Entry, existing: Option<&Entry>) {
        let replaces_dir = existing.is_some_and(|there| there.kind == Kind::Dir);
        if local.kind == Kind::Dir || !replaces_dir {
            return;
        }
        let state = &self.comparison.state.entries;
        let first = state.partition_point(|remote| remote.entry.path <= local.path);
        let below = state[first..].iter().map(|remote| &remote.entry);
        let mut below = below.take_while(|entry| entry.path.starts_with(&local.path));
        let keeps = |entry: &Entry| self.deleted(entry) != Some(DeleteAt::Publishing);
        if below.any(keeps) {
            self.in_the_way.push(Obstruction { path: local.path.clone() });
        }
    }

    fn symlink(
        &self,
        local: &Entry,
        target: &[u8],
        existing: Option<&Entry>,
    ) -> Option<ActionKind> {
        let clock = self.comparison.policy.clock;
        let same = existing
            .is_some_and(|there| there.kind == local.kind && clock.same(there.mtime, local.mtime));
        (!same).then(|| ActionKind::Symlink { target: target.to_vec(), mtime: local.mtime })
    }

    fn file(&mut self, at: SourceIndex, size: u64) -> Option<ActionKind> {
        let comparison = self.comparison;
        let local = &comparison.source[at];
        let digest = local.digest?;
        if self.is_only_respelled(at, &local.entry) {
            self.plan.kept_files += 1;
            self.plan.kept_bytes += size;
            return None;
        }
        let position = Index::at(self.plan.actions.len());
        let inputs = self.recipe_inputs(at, &local.entry, (digest.short(), size));
        let recipe = Recipe::choose(&inputs, comparison.recipes);
        if recipe == Recipe::Keep {
            self.plan.kept_files += 1;
            self.plan.kept_bytes += size;
            return None;
        }
        self.positions.insert(at, position);
        self.offers.insert(position, inputs.offers().collect());
        let makes_content = recipe != Recipe::Touch;
        if makes_content {
            self.contents.add_planned((digest.short(), size), position);
        }
        Some(ActionKind::File(FileAction {
            size,
            mode: local.entry.mode,
            mtime: local.entry.mtime,
            digest: makes_content.then_some(digest),
            recipe,
            rank: self.comparison.policy.rank(local.entry.path.as_bytes()),
        }))
    }

    fn recipe_inputs<'l>(
        &self,
        at: SourceIndex,
        local: &'l Entry,
        content: (ShortDigest, u64),
    ) -> RecipeInputs<'l>
    where
        'a: 'l,
    {
        RecipeInputs {
            local,
            size: content.1,
            existing: self.comparison.existing(at),
            same_content: self.is_same(at),
            same_time: self.is_same_time(at),
            copy_from: self.contents.find(content),
            has_contents_elsewhere: self.comparison.has_contents_elsewhere,
            rewritten: self.rewritten(at),
            patched: self.patched(at),
            regzipped: self.regzipped(at, content.1),
            signed: self.signed(at),
        }
    }

    fn is_same(&self, at: SourceIndex) -> bool {
        match self.comparison.same[at] {
            ContentMatch::Yes => true,
            ContentMatch::No => false,
            ContentMatch::Query => {
                let answer = self.comparison.known[at].and_then(|known| self.answers.get(&known));
                answer == Some(&Answer::ContentMatch)
            }
        }
    }

    fn is_same_time(&self, at: SourceIndex) -> bool {
        let local = &self.comparison.source[at].entry;
        let clock = self.comparison.policy.clock;
        self.comparison.existing(at).is_some_and(|there| clock.same(there.mtime, local.mtime))
    }

    fn signed(&self, at: SourceIndex) -> Option<(Reference, u32)> {
        let asked = self.comparison.bases()[at]?;
        let reference =
            Reference { basis: Basis::Existing(asked.known), rewritten: asked.rewritten };
        match self.answers.get(&asked.known)? {
            Answer::Signed(signature) => Some((reference, signature.spec().block_bytes)),
            _ => None,
        }
    }

    /// A basis that equals the content once it is rewritten, by its draft or by an answer.
    fn rewritten(&self, at: SourceIndex) -> Option<Basis> {
        if let Some(Draft::Rewritten(known)) = self.comparison.drafts.files.get(&at) {
            return Some(Basis::Existing(*known));
        }
        let asked = self.comparison.bases()[at].filter(|asked| asked.expects)?;
        let is_same = self.answers.get(&asked.known)? == &Answer::ContentMatch;
        is_same.then_some(Basis::Existing(asked.known))
    }

    fn patched(&self, at: SourceIndex) -> Option<(Reference, u64)> {
        match self.comparison.drafts.files.get(&at)? {
            draft @ Draft::Compared { reference, .. } => Some((*reference, draft.bytes())),
            Draft::Rewritten(_) => None,
        }
    }

    /// The basis that holds the plain sibling, and the number of bytes to send.
    fn regzipped(&self, at: SourceIndex, size: u64) -> Option<(Basis, u64)> {
        // An estimate before splitting: zopfli's corrections are a tenth of the file, zlib's a
        // hundredth.
        let (plain, bytes) = (self.comparison.regzips.get(&at)?.plain, size / 10);
        let Some(&position) = self.positions.get(&plain) else {
            let kept = self.comparison.known.get(plain).copied().flatten();
            return Some((Basis::Existing(kept?), bytes));
        };
        let recipe = position.of(&self.plan.actions)?.file()?.recipe;
        let basis = match recipe {
            Recipe::Keep | Recipe::Touch => Basis::Existing(self.comparison.known[plain]?),
            // It is copied only once all content has come.
            Recipe::Copy { from: Basis::Planned(planned) } => Basis::Planned(planned),
            _ => Basis::Planned(position),
        };
        Some((basis, bytes))
    }
}

fn dir(local: &Entry, existing: Option<&Entry>) -> Option<ActionKind> {
    let same = existing.is_some_and(|there| there.kind == Kind::Dir && there.mode == local.mode);
    (!same).then_some(ActionKind::Dir { mode: local.mode })
}

/// Positions of the actions with content, in the order that compresses best: patches first, then
/// similar files side by side (by extension, then by name in any directory), then compressed files,
/// and last those made from other files of the push.
pub fn content_order(plan: &Plan) -> Vec<ActionIndex> {
    let mut order: Vec<ActionIndex> = plan
        .indices()
        .filter(|&at| plan.actions[at].file().is_some_and(|file| file.recipe.has_content()))
        .collect();
    order.sort_by_cached_key(|&at| {
        let path = &plan.actions[at].path;
        let name = path.file_name();
        let dot = name.iter().rposition(|&byte| byte == b'.').unwrap_or(name.len());
        let recipe = plan.actions[at].file().map(|file| file.recipe);
        let rank = match recipe {
            Some(Recipe::Patch { .. }) => 0,
            Some(Recipe::Regzip { .. }) => 3,
            _ if is_precompressed(path.as_bytes()) => 2,
            _ => 1,
        };
        (rank, name[dot..].to_vec(), name.to_vec(), at)
    });
    order
}

#[cfg(test)]
mod tests;
