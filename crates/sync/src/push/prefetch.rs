//! Reads and drafts the source while the destination is being reached, in case its state is the
//! cached one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use assetsync_core::protocol::StateHasher;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::{RemoteEntry, State, StateId};
use assetsync_ssh::Target;
use rayon::prelude::*;

use super::context::PushContext;
use crate::compare::comparison::Comparison;
use crate::compare::policy::Policy;
use crate::converse::survey::Survey;
use crate::cost::line::Line;
use crate::draft::build::draft_files;
use crate::draft::drafts::Drafts;
use crate::draft::old_contents::OldContents;
use crate::scan::source::Source;
use crate::share::push_group::{self, DraftInputs, PushGroup, SharedDrafts};
use crate::store::destination_cache::DestinationCache;

/// Work that does not depend on the destination.
pub struct Prefetch<'e> {
    source: &'e Source,
    /// The cached entries of the destination, in tree order.
    cached: &'e [RemoteEntry],
    /// The id of the cached state, if there is one.
    id: Option<StateId>,
    /// The recipes that pay if the link is as fast as it was.
    recipes: Recipes,
    policy: &'e Policy,
    old: &'e dyn OldContents,
    group: Option<&'e PushGroup>,
    stopped: AtomicBool,
    /// Whether nobody takes the drafts that are being made.
    abandoned: AtomicBool,
}

/// Drafting in the background.
pub struct Drafting<'scope> {
    prefetch: &'scope Prefetch<'scope>,
    thread: ScopedJoinHandle<'scope, Option<Arc<Drafts>>>,
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
            recipes: recipes(context, cache),
            policy: &context.options.policy,
            old: cache.contents(),
            group: context.connection.group,
            stopped: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Reads the source, drafts it against the cached state if there is one, and splits `.gz` files
    /// until the destination is [reached](Prefetch::reached).
    pub fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Drafting<'scope> {
        let thread = scope.spawn(move || {
            let drafted = self.draft()?;
            if drafted.is_new {
                let drafts = Arc::clone(&drafted.drafts);
                scope.spawn(move || self.split_gz(&drafts));
            }
            Some(drafted.drafts)
        });
        Drafting { prefetch: self, thread }
    }

    /// The destination has been reached, or can't be: starts to split no more `.gz` files. If
    /// other `recipes` pay on its line than were assumed, no more drafts are made; but those of a
    /// group are, because another destination may take them.
    pub fn reached(&self, recipes: Option<Recipes>) {
        self.stopped.store(true, Ordering::Relaxed);
        let is_useless = self.group.is_none() && recipes != Some(self.recipes);
        self.abandoned.store(is_useless, Ordering::Relaxed);
    }

    fn is_wanted(&self) -> bool {
        !self.abandoned.load(Ordering::Relaxed)
    }

    fn draft(&self) -> Option<SharedDrafts> {
        let (entries, id) = (self.source.hashed().ok()?, self.id?);
        if self.cached.is_empty() {
            return None;
        }
        let make = || {
            let state = State { entries: self.cached.to_vec(), partials: Vec::new() };
            let comparison = Comparison::new(entries, &state, self.policy, self.recipes);
            draft_files(&comparison, self.source, self.old, &|| self.is_wanted())
        };
        let inputs = DraftInputs { recipes: self.recipes, partials: &[], retained_contents: &[] };
        Some(push_group::drafts(self.group, || id, inputs, make))
    }

    fn split_gz(&self, drafts: &Drafts) {
        drafts.regzips.par_iter().for_each(|(&at, regzip)| {
            if !self.stopped.load(Ordering::Relaxed) {
                regzip.corrections(self.source, at);
            }
        });
    }
}

/// The recipes that pay, by what is known before the destination is reached.
fn recipes(context: &PushContext<'_, '_>, cache: &DestinationCache<'_>) -> Recipes {
    let line = match context.target {
        Target::Local(_) => Line::LOCAL,
        Target::Remote(_) => {
            cache.past_line().map_or(Line::UNKNOWN, |past| Line::remembered(past.rate))
        }
    };
    let line = context.connection.line(line, context.options.is_metered());
    line.recipes(context.options.recipes)
}

impl Drafting<'_> {
    /// The drafts for the destination as it was surveyed: those made in the background, if its
    /// state is the cached one.
    pub fn drafts(self, comparison: &Comparison<'_>, survey: &Survey) -> Arc<Drafts> {
        let Drafting { prefetch, thread } = self;
        let (recipes, entries) = (comparison.recipes(), &survey.state.entries);
        let is_cached =
            entries == prefetch.cached && recipes == prefetch.recipes && prefetch.is_wanted();
        let drafted = is_cached.then(|| thread.join().ok().flatten()).flatten();
        drafted.unwrap_or_else(|| {
            let id = || StateHasher::id(entries);
            let make = || draft_files(comparison, prefetch.source, prefetch.old, &|| true);
            let (partials, retained_contents) =
                (&*survey.state.partials, &*survey.retained_contents);
            let inputs = DraftInputs { recipes, partials, retained_contents };
            push_group::drafts(prefetch.group, id, inputs, make).drafts
        })
    }
}
