//! The planner: a pure function of the source, the destination's state and the answers to its questions.

use std::collections::HashMap;

use super::comparison::{Answer, Answers, Comparison};
use super::decision::When;
use super::drafts::Draft;
use crate::compare::Same;
use crate::compressed_names::is_precompressed;
use crate::entry::{CARRIED_MODE, Entry, Kind};
use crate::entry_points::Rank;
use crate::path::RelPath;
use crate::plan::{Action, FileAction, Plan, What};
use crate::recipe::{Basis, Contents, Ground, Recipe, Situation};

/// Something at the destination that a push may not remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    /// The directory that would have to go.
    pub path: RelPath,
}

impl Comparison<'_> {
    /// The plan, once everything is answered; or what stands in its way.
    pub fn plan(&self, answers: &Answers) -> Result<Plan, Vec<InTheWay>> {
        let mut planning = Planning {
            comparison: self,
            answers,
            contents: Contents::of(self.state).with_asides(self.asides),
            positions: HashMap::new(),
            respelled: self.aliases.iter().map(|(&at, &known)| (known, at)).collect(),
            plan: Plan { renames: self.drafts.renames.clone(), ..Plan::default() },
            in_the_way: Vec::new(),
        };
        planning.run();
        if planning.in_the_way.is_empty() { Ok(planning.plan) } else { Err(planning.in_the_way) }
    }
}

struct Planning<'c, 'a> {
    comparison: &'c Comparison<'a>,
    answers: &'c Answers,
    contents: Contents,
    /// Where in the plan source files are, by position.
    positions: HashMap<usize, u32>,
    /// What the source spells in another way, by position in the state.
    respelled: HashMap<u32, usize>,
    plan: Plan,
    in_the_way: Vec<InTheWay>,
}

impl<'a> Planning<'_, 'a> {
    /// Merges the source with what is left over at the destination, in tree order.
    fn run(&mut self) {
        let state = self.comparison.state;
        let mut remote = 0;
        for at in 0..self.comparison.source.len() {
            let path = &self.comparison.source[at].entry.path;
            while state.entries.get(remote).is_some_and(|there| there.entry.path < *path) {
                self.surplus(remote);
                remote += 1;
            }
            if self.comparison.known[at].is_some() {
                remote += 1;
            }
            self.wanted(at);
        }
        (remote..state.entries.len()).for_each(|remote| self.surplus(remote));
    }

    /// Something the source does not have.
    fn surplus(&mut self, remote: usize) {
        let entry = &self.comparison.state.entries[remote].entry;
        let what = match (self.respelled.get(&(remote as u32)), self.deleted(entry)) {
            (Some(&at), _) => What::Respell { to: self.comparison.source[at].entry.path.clone() },
            (None, Some(When::Publishing)) => What::Delete,
            (None, Some(When::Pruning)) => What::Prune,
            (None, None) => return,
        };
        let path = entry.path.clone();
        self.plan.actions.push(Action { path, known: Some(remote as u32), what });
    }

    /// When something the source does not have is deleted, if it is.
    fn deleted(&self, entry: &Entry) -> Option<When> {
        self.comparison.deletes.when(&entry.path).filter(|_| !self.is_protected(entry))
    }

    fn is_protected(&self, entry: &Entry) -> bool {
        let is_dir = entry.kind == Kind::Dir;
        self.comparison.policy.filter.covers(entry.path.as_bytes(), is_dir)
    }

    /// Something the source has.
    fn wanted(&mut self, at: usize) {
        let local = &self.comparison.source[at];
        let standing = self.standing(at);
        self.check_way(&local.entry, standing);
        let what = match &local.entry.kind {
            Kind::File { size } => self.file(at, *size),
            Kind::Dir => dir(&local.entry, standing),
            Kind::Symlink { target } => self.symlink(&local.entry, target, standing),
            Kind::Special => None,
        };
        if let Some(what) = what {
            let path = local.entry.path.clone();
            self.plan.actions.push(Action { path, known: self.comparison.known[at], what });
        }
    }

    /// What stands at the path of a source entry, or under another spelling of it.
    fn standing(&self, at: usize) -> Option<&'a Entry> {
        let comparison = self.comparison;
        let known = comparison.known[at].or_else(|| comparison.aliases.get(&at).copied())?;
        comparison.state.entries.get(known as usize).map(|remote| &remote.entry)
    }

    /// Whether a file stands as it shall be, but for the spelling of its path.
    fn is_only_respelled(&self, at: usize, local: &Entry) -> bool {
        let clock = self.comparison.policy.clock;
        self.comparison.aliases.contains_key(&at)
            && self.comparison.same[at] == Same::Yes
            && self.standing(at).is_some_and(|there| {
                clock.same(there.mtime, local.mtime) && there.mode == local.mode & CARRIED_MODE
            })
    }

    /// A directory makes way for something else only with everything in it, and only if deleting is allowed.
    fn check_way(&mut self, local: &Entry, standing: Option<&Entry>) {
        let replaces_dir = standing.is_some_and(|there| there.kind == Kind::Dir);
        if local.kind == Kind::Dir || !replaces_dir {
            return;
        }
        let state = &self.comparison.state.entries;
        let first = state.partition_point(|remote| remote.entry.path <= local.path);
        let below = state[first..].iter().map(|remote| &remote.entry);
        let mut below = below.take_while(|entry| entry.path.starts_with(&local.path));
        let keeps = |entry: &Entry| self.deleted(entry) != Some(When::Publishing);
        if below.any(keeps) {
            self.in_the_way.push(InTheWay { path: local.path.clone() });
        }
    }

    fn symlink(&self, local: &Entry, target: &[u8], standing: Option<&Entry>) -> Option<What> {
        let clock = self.comparison.policy.clock;
        let same = standing
            .is_some_and(|there| there.kind == local.kind && clock.same(there.mtime, local.mtime));
        (!same).then(|| What::Symlink { target: target.to_vec(), mtime: local.mtime })
    }

    fn file(&mut self, at: usize, size: u64) -> Option<What> {
        let comparison = self.comparison;
        let local = &comparison.source[at];
        let digest = local.digest?;
        if self.is_only_respelled(at, &local.entry) {
            self.plan.kept_files += 1;
            self.plan.kept_bytes += size;
            return None;
        }
        let position = self.plan.actions.len() as u32;
        let situation = Situation {
            local: &local.entry,
            size,
            standing: comparison.standing(at),
            same_content: self.is_same(at),
            same_time: self.is_same_time(at),
            elsewhere: self.contents.find((digest.short(), size)),
            is_given: comparison.is_given,
            rewritten: self.rewritten(at),
            patched: self.patched(at),
            regzipped: self.regzipped(at, size),
            signed: self.signed(at),
        };
        let recipe = Recipe::choose(&situation, comparison.recipes);
        if recipe == Recipe::Keep {
            self.plan.kept_files += 1;
            self.plan.kept_bytes += size;
            return None;
        }
        self.positions.insert(at, position);
        let makes_content = recipe != Recipe::Touch;
        if makes_content {
            self.contents.will_have((digest.short(), size), position);
        }
        Some(What::File(FileAction {
            size,
            mode: local.entry.mode,
            mtime: local.entry.mtime,
            digest: makes_content.then_some(digest),
            recipe,
            entry_point: self.is_entry_point(&local.entry),
        }))
    }

    fn is_same(&self, at: usize) -> bool {
        match self.comparison.same[at] {
            Same::Yes => true,
            Same::No => false,
            Same::Ask => {
                let answer = self.comparison.known[at].and_then(|known| self.answers.get(&known));
                answer == Some(&Answer::Same)
            }
        }
    }

    fn is_same_time(&self, at: usize) -> bool {
        let local = &self.comparison.source[at].entry;
        let clock = self.comparison.policy.clock;
        self.comparison.standing(at).is_some_and(|there| clock.same(there.mtime, local.mtime))
    }

    fn signed(&self, at: usize) -> Option<(Ground, u32)> {
        let asked = self.comparison.bases[at]?;
        let ground = Ground { basis: Basis::Known(asked.known), rewritten: asked.rewritten };
        match self.answers.get(&asked.known)? {
            Answer::Signed(signature) => Some((ground, signature.spec().block_bytes)),
            _ => None,
        }
    }

    /// A basis that is the content once it is rewritten: known here, or so answered.
    fn rewritten(&self, at: usize) -> Option<Basis> {
        if let Some(Draft::Rewritten(known)) = self.comparison.drafts.files.get(&at) {
            return Some(Basis::Known(*known));
        }
        let asked = self.comparison.bases[at].filter(|asked| asked.expects)?;
        let is_same = self.answers.get(&asked.known)? == &Answer::Same;
        is_same.then_some(Basis::Known(asked.known))
    }

    fn patched(&self, at: usize) -> Option<(Ground, u64)> {
        match self.comparison.drafts.files.get(&at)? {
            draft @ Draft::Compared { ground, .. } => Some((*ground, draft.bytes())),
            Draft::Rewritten(_) => None,
        }
    }

    /// Where the plain sibling will be, and what else must travel.
    fn regzipped(&self, at: usize, size: u64) -> Option<(Basis, u64)> {
        // Not taken apart yet: a zopfli's corrections are a tenth of the file, zlib's a hundredth.
        let (plain, bytes) = (self.comparison.regzips.get(&at)?.plain, size / 10);
        let Some(&position) = self.positions.get(&plain) else {
            let kept = self.comparison.known.get(plain).copied().flatten();
            return Some((Basis::Known(kept?), bytes));
        };
        let recipe = self.plan.actions.get(position as usize)?.file()?.recipe;
        let basis = match recipe {
            Recipe::Keep | Recipe::Touch => Basis::Known(self.comparison.known[plain]?),
            // It is copied only once all content has come.
            Recipe::Copy { from: Basis::Planned(planned) } => Basis::Planned(planned),
            _ => Basis::Planned(position),
        };
        Some((basis, bytes))
    }

    fn is_entry_point(&self, entry: &Entry) -> bool {
        self.comparison.policy.entry_points.rank(entry.path.as_bytes()) == Rank::EntryPoint
    }
}

fn dir(local: &Entry, standing: Option<&Entry>) -> Option<What> {
    let same = standing.is_some_and(|there| there.kind == Kind::Dir && there.mode == local.mode);
    (!same).then_some(What::Dir { mode: local.mode })
}

/// Positions of the actions whose content travels, in the order in which it compresses best: patches first, what
/// is alike side by side (the same extension, then the same names in whatever directory), what is compressed already after that, and what is made from other files of the push at
/// the end.
pub fn content_order(plan: &Plan) -> Vec<u32> {
    let mut order: Vec<u32> = (0..plan.actions.len() as u32)
        .filter(|&at| {
            plan.actions[at as usize].file().is_some_and(|file| file.recipe.has_content())
        })
        .collect();
    order.sort_by_cached_key(|&at| {
        let path = &plan.actions[at as usize].path;
        let name = path.file_name();
        let dot = name.iter().rposition(|&byte| byte == b'.').unwrap_or(name.len());
        let recipe = plan.actions[at as usize].file().map(|file| file.recipe);
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
