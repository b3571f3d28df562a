//! What is found out about the source while a destination is being reached, in case that is as it is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use assetsync_ssh::Target;
use rayon::prelude::*;

use super::comparison::Comparison;
use super::drafts::Drafts;
use super::error::PushError;
use super::memory::Memory;
use super::monitor::Monitor;
use super::push::Options;
use super::reach::Connection;
use super::session::{Opening, Session};
use super::sharing::{self, Drafted, Standing};
use super::source::Source;
use super::survey::Survey;
use crate::proto::StateHasher;
use crate::recipe::Recipes;
use crate::state::{RemoteEntry, State};

/// Work that need not wait for the destination.
pub struct Early<'e> {
    /// What is pushed.
    source: &'e Source,
    /// What stood at the destination, as the sender remembers.
    remembered: &'e [RemoteEntry],
    /// The memory that says so.
    memory: &'e Memory<'e>,
    /// What the push may do.
    options: &'e Options,
    /// How the destination is reached.
    connection: &'e Connection<'e>,
    /// The agent has answered.
    is_answered: AtomicBool,
}

impl<'e> Early<'e> {
    /// Nothing is known yet.
    pub fn new(
        source: &'e Source,
        remembered: &'e [RemoteEntry],
        memory: &'e Memory<'e>,
        options: &'e Options,
        connection: &'e Connection<'e>,
    ) -> Early<'e> {
        let is_answered = AtomicBool::new(false);
        Early { source, remembered, memory, options, connection, is_answered }
    }

    /// Reaches the destination, and lets the others know.
    pub fn connect<'a>(
        &self,
        target: &Target,
        opening: Opening,
        monitor: &'a dyn Monitor,
    ) -> Result<Session<'a>, PushError> {
        let session = Session::connect(target, self.connection, opening, monitor);
        self.is_answered.store(true, Ordering::Relaxed);
        session
    }

    /// The ways for files that pay if the destination is as far as it was.
    pub fn recipes(&self) -> Recipes {
        self.memory.distance().recipes(self.options.recipes)
    }

    /// Reads the source, and makes drafts where something is remembered.
    pub fn draft(&self) -> Option<Drafted> {
        let (entries, id) = (self.source.hashed().ok()?, self.memory.id()?);
        let recipes = self.recipes();
        if self.remembered.is_empty() {
            return None;
        }
        let make = || {
            let state = State { entries: self.remembered.to_vec(), leftovers: Vec::new() };
            let comparison = Comparison::new(entries, &state, &self.options.policy, recipes);
            Drafts::make(&comparison, self.source, self.memory.contents())
        };
        let standing = Standing { recipes, leftovers: &[], asides: &[] };
        Some(sharing::drafts(self.connection.sharing, || id, standing, make))
    }

    /// The drafts for the destination as it was found: those that are being made, if it is as it was.
    pub fn drafts(
        &self,
        drafting: ScopedJoinHandle<'_, Option<Arc<Drafts>>>,
        comparison: &Comparison<'_>,
        survey: &Survey,
    ) -> Arc<Drafts> {
        let (recipes, entries) = (comparison.recipes(), &survey.state.entries);
        let is_as_it_was = entries == self.remembered && recipes == self.recipes();
        let made = is_as_it_was.then(|| drafting.join().ok().flatten()).flatten();
        made.unwrap_or_else(|| {
            let id = || StateHasher::id(entries);
            let make = || Drafts::make(comparison, self.source, self.memory.contents());
            let (leftovers, asides) = (&*survey.state.leftovers, &*survey.aside);
            let standing = Standing { recipes, leftovers, asides };
            sharing::drafts(self.connection.sharing, id, standing, make).drafts
        })
    }

    /// Begins to take `.gz` files apart, until the agent answers.
    pub fn take_apart(&self, drafts: &Drafts) {
        drafts.regzips.par_iter().for_each(|(&at, regzip)| {
            if !self.is_answered.load(Ordering::Relaxed) {
                regzip.corrections(self.source, at);
            }
        });
    }
}
