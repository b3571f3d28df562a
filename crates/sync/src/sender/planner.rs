//! The planner: a pure function of the source, the destination's state and the answers to its questions.

use std::collections::HashMap;

use super::comparison::{Answer, Answers, Comparison};
use super::decision::When;
use super::drafts::Draft;
use crate::compare::Same;
use crate::compressed_names::is_precompressed;
use crate::entry::{Entry, Kind};
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
    plan: Plan,
    in_the_way: Vec<InTheWay>,
}

impl Planning<'_, '_> {
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
        let what = match self.deleted(entry) {
            Some(When::Publishing) => What::Delete,
            Some(When::Pruning) => What::Prune,
            None => return,
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
        let standing = self.comparison.known[at]
            .and_then(|known| self.comparison.state.entries.get(known as usize))
            .map(|remote| &remote.entry);
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
mod tests {
    use super::*;
    use crate::compare::{Rule, SourceEntry};
    use crate::delta::Signature;
    use crate::digest::Digest;
    use crate::entry::Mtime;
    use crate::filter::{Filter, Rule as FilterRule};
    use crate::recipe::Recipes;
    use crate::sender::comparison::Policy;
    use crate::state::{Leftover, RemoteEntry, State};

    const TIME: Mtime = Mtime { secs: 1000, nanos: 7 };
    const LATER: Mtime = Mtime { secs: 2000, nanos: 0 };

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    /// A file of 4,000 bytes whose content is known by a word.
    fn file(name: &str, content: &str, mtime: Mtime) -> SourceEntry {
        let entry = Entry { path: path(name), kind: Kind::File { size: 4000 }, mode: 0o644, mtime };
        SourceEntry { entry, digest: Some(Digest::of(content.as_bytes())) }
    }

    fn folder(name: &str) -> SourceEntry {
        let entry =
            Entry { path: path(name), kind: Kind::Dir, mode: 0o755, mtime: Mtime::default() };
        SourceEntry { entry, digest: None }
    }

    fn link(name: &str, target: &str) -> SourceEntry {
        let kind = Kind::Symlink { target: target.into() };
        SourceEntry {
            entry: Entry { path: path(name), kind, mode: 0o775, mtime: TIME },
            digest: None,
        }
    }

    /// A state that knows every digest, or none.
    fn state(entries: &[SourceEntry], knows: bool) -> State {
        let remote = |local: &SourceEntry| RemoteEntry {
            entry: local.entry.clone(),
            digest: local.digest.filter(|_| knows).map(|digest| digest.short()),
        };
        State { entries: entries.iter().map(remote).collect(), leftovers: Vec::new() }
    }

    fn mirror() -> Policy {
        Policy { delete: true, ..Policy::default() }
    }

    /// The plan in words; every question is answered "different, and signed".
    fn words(source: &[SourceEntry], state: &State, policy: &Policy) -> Vec<String> {
        let comparison = Comparison::new(source, state, policy, Recipes::ALL);
        let answers = comparison.questions().into_iter().map(|ask| {
            let signed = ask.signature.map(|spec| {
                let entries = vec![0; spec.signature_bytes(4000) as usize];
                Answer::Signed(Signature::new(spec, 4000, entries).unwrap())
            });
            (ask.known, signed.unwrap_or(Answer::Different))
        });
        describe(&comparison.plan(&answers.collect()).unwrap())
    }

    fn describe(plan: &Plan) -> Vec<String> {
        let what = |action: &Action| match &action.what {
            What::Dir { .. } => "dir".into(),
            What::Symlink { .. } => "link".into(),
            What::Delete => "delete".into(),
            What::Prune => "prune".into(),
            What::File(file) => match file.recipe {
                Recipe::Copy { from } => format!("copy {from:?}"),
                Recipe::Delta { ground, .. } => format!("delta {:?}", ground.basis),
                other => other.name().into(),
            },
        };
        plan.actions.iter().map(|action| format!("{} {}", action.path, what(action))).collect()
    }

    #[test]
    fn every_file_gets_the_cheapest_recipe() {
        let there = [
            file("app-1a2b3c4d.js", "old app", TIME),
            file("kept.css", "kept", TIME),
            file("old-name.css", "moved", TIME),
            file("same-path.css", "before", TIME),
            file("touched.css", "touched", TIME),
        ];
        let here = [
            file("app-9f8e7d6c.js", "new app", LATER),
            file("kept.css", "kept", TIME),
            file("moved.css", "moved", LATER),
            file("new-1.css", "twice", TIME),
            file("new-2.css", "twice", TIME),
            file("same-path.css", "after", TIME),
            file("touched.css", "touched", LATER),
        ];
        let expected = [
            "app-1a2b3c4d.js delete",
            "app-9f8e7d6c.js delta Known(0)",
            "moved.css copy Known(2)",
            "new-1.css whole",
            "new-2.css copy Planned(3)",
            "old-name.css delete",
            "same-path.css delta Known(3)",
            "touched.css touch",
        ];
        assert_eq!(words(&here, &state(&there, true), &mirror()), expected);
    }

    #[test]
    fn nothing_is_planned_where_nothing_changed() {
        let tree = [folder("a"), file("a/b.js", "b", TIME), link("l", "a/b.js")];
        assert!(words(&tree, &state(&tree, true), &mirror()).is_empty());
        let (unknown, policy) = (state(&tree, false), mirror());
        let comparison = Comparison::new(&tree, &unknown, &policy, Recipes::ALL);
        let plan = comparison.plan(&Answers::from([(1, Answer::Same)])).unwrap();
        assert!(describe(&plan).is_empty(), "{plan:?}");
        let without_delete = words(&[], &state(&tree, true), &Policy::default());
        assert!(without_delete.is_empty(), "{without_delete:?}");
    }

    #[test]
    fn a_change_that_keeps_size_and_mtime_is_seen() {
        let there = [file("a.css", "before", TIME)];
        let here = [file("a.css", "after!", TIME)];
        assert_eq!(words(&here, &state(&there, true), &mirror()), ["a.css delta Known(0)"]);
        assert_eq!(words(&here, &state(&there, false), &mirror()), ["a.css delta Known(0)"]);
        let by_size = Policy { rule: Rule::SizeOnly, ..mirror() };
        assert!(words(&here, &state(&there, false), &by_size).is_empty());
    }

    #[test]
    fn unknown_files_are_asked_about_once() {
        let there = [file("a.css", "same", TIME)];
        for (mtime, expected) in [(LATER, vec!["a.css touch"]), (TIME, Vec::new())] {
            let here = [file("a.css", "same", mtime)];
            let (state, policy) = (state(&there, false), mirror());
            let comparison = Comparison::new(&here, &state, &policy, Recipes::ALL);
            let asks = comparison.questions();
            assert_eq!(asks.len(), 1);
            assert_eq!(asks[0].expected, Some(Digest::of(b"same").short()));
            let answers = Answers::from([(0, Answer::Same)]);
            assert_eq!(describe(&comparison.plan(&answers).unwrap()), expected);
        }
    }

    #[test]
    fn leftovers_are_used() {
        let here = [file("a.css", "staged before", TIME)];
        let digest = here[0].digest.unwrap().short();
        let state = State { entries: Vec::new(), leftovers: vec![Leftover { digest, size: 4000 }] };
        assert_eq!(words(&here, &state, &mirror()), ["a.css copy Leftover(0)"]);
    }

    #[test]
    fn kinds_change_only_where_nothing_is_lost_unasked() {
        let there = [folder("a"), file("a/x", "x", TIME)];
        let here = [file("a", "now a file", TIME)];
        let state = state(&there, true);
        assert_eq!(words(&here, &state, &mirror()), ["a whole", "a/x delete"]);
        let policy = Policy::default();
        let refused = Comparison::new(&here, &state, &policy, Recipes::ALL).plan(&Answers::new());
        assert_eq!(refused, Err(vec![InTheWay { path: path("a") }]));
    }

    #[test]
    fn what_a_filter_excludes_is_not_deleted() {
        let there = [folder("uploads"), file("uploads/x", "x", TIME), file("y", "y", TIME)];
        let rules = [(FilterRule::Exclude, b"/uploads/".as_slice())];
        let policy = Policy { filter: Filter::parse(rules).unwrap(), ..mirror() };
        assert_eq!(words(&[], &state(&there, true), &policy), ["y delete"]);
    }

    #[test]
    fn compressed_content_comes_last_and_without_a_delta() {
        let there = [file("a.js.gz", "before", TIME)];
        let here =
            [file("a.js.gz", "after", TIME), file("b.js", "b", TIME), file("c.css", "c", TIME)];
        let state = state(&there, true);
        assert_eq!(words(&here, &state, &mirror()), ["a.js.gz whole", "b.js whole", "c.css whole"]);
        let policy = mirror();
        let plan =
            Comparison::new(&here, &state, &policy, Recipes::ALL).plan(&Answers::new()).unwrap();
        assert_eq!(content_order(&plan), [2, 1, 0]);
    }
}
