//! Reads and drafts the source while the destination is being reached, in case its state is the
//! cached one.
//!
//! Which drafts will be wanted depends on the line. If it was quick in the last push, they are
//! made for a quick one first; once the destination has not been reached for longer than a quick
//! line takes, for any other as well.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use assetsync_core::protocol::StateHasher;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::{RemoteEntry, State, StateId};
use assetsync_ssh::Target;
use rayon::prelude::*;

use super::context::PushContext;
use crate::compare::comparison::Comparison;
use crate::compare::policy::Policy;
use crate::converse::survey::Survey;
use crate::cost::line::{Line, PastLine};
use crate::draft::build::draft_files;
use crate::draft::drafts::Drafts;
use crate::draft::old_contents::OldContents;
use crate::scan::source::Source;
use crate::share::push_group::{self, DraftInputs, PushGroup, SharedDrafts};
use crate::store::destination_cache::DestinationCache;

/// A host on a quick line is mostly reached within this time, from when drafting begins. Drafts for
/// other lines would take processor time from what is needed until then.
const QUICKLY_REACHED: Duration = Duration::from_millis(120);

/// Work that does not depend on the destination.
pub struct Prefetch<'e> {
    source: &'e Source,
    /// The cached entries of the destination, in tree order.
    cached: &'e [RemoteEntry],
    /// The id of the cached state, if there is one.
    id: Option<StateId>,
    /// The recipes that pay if the line is as quick as it was, and those for a slower one.
    guesses: Vec<Recipes>,
    policy: &'e Policy,
    old: &'e dyn OldContents,
    group: Option<&'e PushGroup>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// How far reaching the destination has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It may be reached yet.
    Reaching,
    /// It was, and these recipes pay on its line; or it can't be.
    Ended(Option<Recipes>),
}

/// Drafts, and the recipes they were made for.
type DraftsFor = (Recipes, Arc<Drafts>);

/// Drafting in the background.
pub struct Drafting<'scope> {
    prefetch: &'scope Prefetch<'scope>,
    thread: ScopedJoinHandle<'scope, Vec<DraftsFor>>,
}

impl<'e> Prefetch<'e> {
    /// Nothing is started yet.
    pub fn new(
        context: &PushContext<'e, '_>,
        cached: &'e [RemoteEntry],
        cache: &'e DestinationCache<'_>,
    ) -> Prefetch<'e> {
        Prefetch {
            source: context.source,
            cached,
            id: cache.id(),
            guesses: guesses(context, cache),
            policy: &context.options.policy,
            old: cache.contents(),
            group: context.connection.group,
            progress: Mutex::new(Progress::Reaching),
            changed: Condvar::new(),
        }
    }

    /// Reads the source, drafts it against the cached state if there is one, and splits `.gz` files
    /// until the destination is [reached](Prefetch::reached).
    pub fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Drafting<'scope> {
        let thread = scope.spawn(move || {
            let (mut made, since) = (Vec::new(), Instant::now());
            for (nth, &recipes) in self.guesses.iter().enumerate() {
                if nth > 0 {
                    self.wait_until_reached(QUICKLY_REACHED.saturating_sub(since.elapsed()));
                }
                let Some(drafted) = self.draft(recipes) else { continue };
                if drafted.is_new {
                    let drafts = Arc::clone(&drafted.drafts);
                    scope.spawn(move || self.split_gz(&drafts));
                }
                made.push((recipes, drafted.drafts));
            }
            made
        });
        Drafting { prefetch: self, thread }
    }

    /// The destination has been reached, or can't be: starts to split no more `.gz` files, and
    /// makes drafts for no other `recipes` than those that pay on its line. One of several
    /// destinations makes them anyhow, because another one may take them.
    pub fn reached(&self, recipes: Option<Recipes>) {
        *self.progress() = Progress::Ended(recipes);
        self.changed.notify_all();
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until_reached(&self, longest: Duration) {
        let is_reaching = |progress: &mut Progress| *progress == Progress::Reaching;
        // Poisoned or not, what is wanted is looked at afterwards.
        let _ = self.changed.wait_timeout_while(self.progress(), longest, is_reaching);
    }

    fn is_wanted(&self, recipes: Recipes) -> bool {
        let progress = *self.progress();
        self.group.is_some_and(PushGroup::has_several)
            || [Progress::Reaching, Progress::Ended(Some(recipes))].contains(&progress)
    }

    /// Drafts for these recipes, if anybody may want them, all of them.
    fn draft(&self, recipes: Recipes) -> Option<SharedDrafts> {
        let (entries, id) = (self.source.hashed().ok()?, self.id?);
        if self.cached.is_empty() || !self.is_wanted(recipes) {
            return None;
        }
        let make = || {
            let state = State { entries: self.cached.to_vec(), partials: Vec::new() };
            let comparison = Comparison::new(entries, &state, self.policy, recipes);
            draft_files(&comparison, self.source, self.old, &|| self.is_wanted(recipes))
        };
        let inputs = DraftInputs { recipes, partials: &[], retained_contents: &[] };
        let drafted = push_group::drafts(self.group, || id, inputs, make);
        self.is_wanted(recipes).then_some(drafted)
    }

    fn split_gz(&self, drafts: &Drafts) {
        drafts.regzips.par_iter().for_each(|(&at, regzip)| {
            if *self.progress() == Progress::Reaching {
                regzip.corrections(self.source, at);
            }
        });
    }
}

/// The recipes that may pay, by what is known before the destination is reached.
fn guesses(context: &PushContext<'_, '_>, cache: &DestinationCache<'_>) -> Vec<Recipes> {
    let is_metered = context.options.is_metered();
    let line = |line| context.connection.line(line, is_metered);
    let lines = likely_lines(context.target, cache.past_line());
    let recipes = lines.into_iter().map(|it| line(it).recipes(context.options.recipes));
    let mut guesses: Vec<Recipes> = recipes.collect();
    guesses.dedup();
    guesses
}

/// The lines that the destination may be reached by, the likeliest first.
fn likely_lines(target: &Target, past: Option<PastLine>) -> Vec<Line> {
    match target {
        Target::Local(_) => vec![Line::LOCAL],
        Target::Remote(_) => past
            .map(|past| Line::remembered(past.rate))
            .into_iter()
            .chain([Line::UNKNOWN])
            .collect(),
    }
}

impl Drafting<'_> {
    /// The drafts for the destination as it was surveyed: those made in the background, if its
    /// state is the cached one.
    pub fn drafts(self, comparison: &Comparison<'_>, survey: &Survey) -> Arc<Drafts> {
        let Drafting { prefetch, thread } = self;
        let (recipes, entries) = (comparison.recipes(), &survey.state.entries);
        let is_cached = entries == prefetch.cached && prefetch.guesses.contains(&recipes);
        let drafted = is_cached.then(|| thread.join().unwrap_or_default());
        let drafted = drafted.into_iter().flatten().find(|(made_for, _)| *made_for == recipes);
        drafted.map(|(_, drafts)| drafts).unwrap_or_else(|| {
            let id = || StateHasher::id(entries);
            let make = || draft_files(comparison, prefetch.source, prefetch.old, &|| true);
            let (partials, retained_contents) =
                (&*survey.state.partials, &*survey.retained_contents);
            let inputs = DraftInputs { recipes, partials, retained_contents };
            push_group::drafts(prefetch.group, id, inputs, make).drafts
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_quick_may_be_another_one_now() {
        let recipes = |target: &str, rate: Option<u64>| {
            let past = rate.map(|rate| PastLine { rate, ssh_response: None });
            let lines = likely_lines(&Target::parse(target.as_ref()).unwrap(), past);
            let mut recipes: Vec<_> = lines.into_iter().map(|line| line.recipes(None)).collect();
            recipes.dedup();
            recipes
        };
        let (quick, slow) = (Recipes::FAST_LINK, Recipes::ALL);
        assert_eq!(recipes("web1:/srv", Some(60_000_000)), [quick, slow]);
        assert_eq!(recipes("web1:/srv", Some(1_000_000)), [slow]);
        assert_eq!(recipes("web1:/srv", None), [slow]);
        assert_eq!(recipes("./srv", None), [quick]);
    }
}
