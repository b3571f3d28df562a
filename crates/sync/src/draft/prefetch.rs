//! What is found out about the source while a destination is being reached, in case that is as it is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use assetsync_core::protocol::StateHasher;
use assetsync_core::recipe::Recipes;
use assetsync_core::state::{RemoteEntry, State};
use assetsync_ssh::Target;
use rayon::prelude::*;

use super::build::Drafts;
use crate::compare::comparison::Comparison;
use crate::connect::start_agent::ConnectOptions;
use crate::converse::receive_survey::Survey;
use crate::converse::session::{Session, SessionOptions};
use crate::error::PushError;
use crate::event::Monitor;
use crate::push::attempt::Options;
use crate::scan::source::Source;
use crate::share::push_group;
use crate::share::push_group::{DraftInputs, SharedDrafts};
use crate::store::destination_cache::DestinationCache;

/// Work that need not wait for the destination.
pub struct Prefetch<'e> {
    /// What is pushed.
    source: &'e Source,
    /// What stood at the destination, as the sender remembers.
    cached: &'e [RemoteEntry],
    /// The memory that says so.
    memory: &'e DestinationCache<'e>,
    /// What the push may do.
    options: &'e Options,
    /// How the destination is reached.
    connection: &'e ConnectOptions<'e>,
    /// The agent has answered.
    agent_answered: AtomicBool,
}

impl<'e> Prefetch<'e> {
    /// Nothing is known yet.
    pub fn new(
        source: &'e Source,
        cached: &'e [RemoteEntry],
        memory: &'e DestinationCache<'e>,
        options: &'e Options,
        connection: &'e ConnectOptions<'e>,
    ) -> Prefetch<'e> {
        let agent_answered = AtomicBool::new(false);
        Prefetch { source, cached, memory, options, connection, agent_answered }
    }

    /// Reaches the destination, and lets the others know.
    pub fn connect<'a>(
        &self,
        target: &Target,
        opening: SessionOptions,
        monitor: &'a dyn Monitor,
    ) -> Result<Session<'a>, PushError> {
        let session = Session::connect(target, self.connection, opening, monitor);
        self.agent_answered.store(true, Ordering::Relaxed);
        session
    }

    /// The ways for files that pay if the destination is as far as it was.
    pub fn recipes(&self) -> Recipes {
        self.memory.link_speed().recipes(self.options.recipes)
    }

    /// Reads the source, and makes drafts where something is remembered.
    pub fn draft(&self) -> Option<SharedDrafts> {
        let (entries, id) = (self.source.hashed().ok()?, self.memory.id()?);
        let recipes = self.recipes();
        if self.cached.is_empty() {
            return None;
        }
        let make = || {
            let state = State { entries: self.cached.to_vec(), partials: Vec::new() };
            let comparison = Comparison::new(entries, &state, &self.options.policy, recipes);
            Drafts::make(&comparison, self.source, self.memory.contents())
        };
        let existing = DraftInputs { recipes, partials: &[], retained_contents: &[] };
        Some(push_group::drafts(self.connection.group, || id, existing, make))
    }

    /// The drafts for the destination as it was found: those that are being made, if it is as it was.
    pub fn drafts(
        &self,
        drafting: ScopedJoinHandle<'_, Option<Arc<Drafts>>>,
        comparison: &Comparison<'_>,
        survey: &Survey,
    ) -> Arc<Drafts> {
        let (recipes, entries) = (comparison.recipes(), &survey.state.entries);
        let is_as_it_was = entries == self.cached && recipes == self.recipes();
        let made = is_as_it_was.then(|| drafting.join().ok().flatten()).flatten();
        made.unwrap_or_else(|| {
            let id = || StateHasher::id(entries);
            let make = || Drafts::make(comparison, self.source, self.memory.contents());
            let (partials, retained_contents) =
                (&*survey.state.partials, &*survey.retained_contents);
            let existing = DraftInputs { recipes, partials, retained_contents };
            push_group::drafts(self.connection.group, id, existing, make).drafts
        })
    }

    /// Begins to take `.gz` files apart, until the agent answers.
    pub fn split_gz(&self, drafts: &Drafts) {
        drafts.regzips.par_iter().for_each(|(&at, regzip)| {
            if !self.agent_answered.load(Ordering::Relaxed) {
                regzip.corrections(self.source, at);
            }
        });
    }
}
