//! The actions of a plan, one at a time.

use std::io;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::{ActionIndex, ActionList, EntryIndex, Index, Indices};
use assetsync_core::plan::Action;

/// The actions of a plan.
pub trait Actions {
    /// Number of actions.
    fn count(&self) -> u32;

    /// The indices of all actions.
    fn indices(&self) -> Indices<ActionList> {
        Index::range(0..self.count())
    }

    /// The action at this index, with its path.
    fn action(&mut self, index: ActionIndex) -> io::Result<Option<Action>>;

    /// The entry with this index in the destination's state.
    fn existing(&mut self, known: EntryIndex) -> io::Result<Option<Entry>>;
}

/// An action while it is carried out or taken back.
pub(super) struct Step<'a> {
    /// All actions of the plan.
    pub actions: &'a mut dyn Actions,
    /// The index of this one.
    pub index: ActionIndex,
    /// The action.
    pub action: &'a Action,
}

impl Step<'_> {
    /// The entry that the action's path had, if it existed.
    pub fn existing(&mut self) -> io::Result<Option<Entry>> {
        self.action.known.map_or(Ok(None), |known| self.actions.existing(known))
    }

    /// The indices of the actions on what is below the action's path.
    pub fn below(&mut self) -> io::Result<Indices<ActionList>> {
        let first = self.index.next();
        let mut end = first;
        while let Some(action) = self.actions.action(end)?
            && action.path.starts_with(&self.action.path)
        {
            end = end.next();
        }
        Ok(Index::range(first.number()..end.number()))
    }
}

/// Whether what existed is a directory.
pub fn is_dir(existing: Option<&Entry>) -> bool {
    existing.is_some_and(|entry| entry.kind == Kind::Dir)
}
