//! The plan store: the received plan, the index entries it names, and which files are staged.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Kind, Mtime};
use assetsync_core::index::{ActionIndex, EntryIndex, Index, PartialIndex};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, ActionPath, FileAction, WireAction};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::{Basis, Recipe, Reference};
use assetsync_rewrite::Rewriter;

use super::rename_table::RenameTable;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::actions::Actions;
use crate::spool::Spool;
use crate::survey::answer_queries::Learned;
use crate::survey::index_entry::IndexEntry;
use crate::work::file_names::FileNames;

/// The received plan and its progress.
pub struct PlanStore {
    /// The actions.
    pub wire_actions: Spool<WireAction>,
    /// The index entries of the destination.
    pub index_entries: Spool<IndexEntry>,
    /// Digests that answering queries took, for index entries that have none.
    pub learned: Learned,
    /// The renames.
    renames: RenameTable,
    /// The names of a push of files.
    names: Option<FileNames>,
    /// Whether each action's file is staged.
    staged: Vec<bool>,
    /// Whether each action is a touch that has to be a copy; empty if none is.
    copies: Vec<bool>,
    /// Amended files, by action: they changed at the source after they were planned.
    amended: HashMap<ActionIndex, Amended>,
}

/// How many bases a plan may name besides existing files.
#[derive(Debug, Clone, Copy)]
pub struct BasisCounts {
    /// Number of partials.
    pub partials: u32,
    /// Number of retained contents.
    pub retained_contents: u32,
}

/// New size, mtime and digest of a file.
#[derive(Debug, Clone, Copy)]
pub struct Amended {
    /// Bytes of content.
    pub size: u64,
    /// Last modification.
    pub mtime: Mtime,
    /// Digest of the content.
    pub digest: Digest,
}

impl PlanStore {
    /// A plan store without actions.
    pub fn new(
        spool_dir: &Path,
        index_entries: Spool<IndexEntry>,
        renames: RenameTable,
        learned: Learned,
    ) -> PlanStore {
        let (wire_actions, amended) = (Spool::new(spool_dir), HashMap::new());
        let (staged, copies) = (Vec::new(), Vec::new());
        let names = None;
        PlanStore { wire_actions, index_entries, learned, renames, names, staged, copies, amended }
    }

    /// A plan store of a push of files with these names.
    pub fn named(self, names: Option<FileNames>) -> PlanStore {
        PlanStore { names, ..self }
    }

    /// Receives a plan that begins with `first`, and checks each action before any is carried out.
    pub fn receive(
        mut self,
        first: Option<WireAction>,
        bases: BasisCounts,
        conversation: &mut Conversation,
    ) -> Result<PlanStore, AgentError> {
        let mut check = PlanCheck { last: None, bases };
        let mut next = first;
        while let Some(wire_action) = next {
            let action = self.resolve(wire_action.clone()).map_err(AgentError::protocol)?;
            check.action(&action, Index::new(self.wire_actions.len()), self.index_entries.len())?;
            if u64::from(self.wire_actions.len()) >= limits::ENTRIES {
                return Err(AgentError::protocol("too many actions"));
            }
            self.wire_actions.push(&wire_action).map_err(AgentError::WorkFiles)?;
            next = match conversation.message()? {
                ToAgent::Action(wire_action) => Some(wire_action),
                ToAgent::PlanEnd => None,
                other => return Err(AgentError::unexpected(&other, "in a plan")),
            };
        }
        self.staged = vec![false; self.wire_actions.len() as usize];
        Ok(self)
    }

    fn resolve(&mut self, wire_action: WireAction) -> io::Result<Action> {
        let (path, known) = match wire_action.place {
            ActionPath::New(path) => match &self.names {
                Some(names) => (names.to_here(path), None),
                None => (path, None),
            },
            ActionPath::Existing(known) => {
                let index_entry = self.index_entries.get(known)?;
                let index_entry =
                    index_entry.ok_or_else(|| io::Error::other("position out of range"))?;
                (index_entry.entry.path, Some(known))
            }
            ActionPath::Renamed(renamed) => {
                let path = self.renames.path(renamed, &mut self.index_entries)?;
                (path.ok_or_else(|| io::Error::other("rename to what is no path"))?, None)
            }
        };
        Ok(Action { path, known, what: wire_action.what })
    }

    /// The index entry with this index, with the digest that was learned since the survey.
    pub fn index_entry(&mut self, index: EntryIndex) -> io::Result<Option<IndexEntry>> {
        let mut index_entry = self.index_entries.get(index)?;
        // A version that is not settled may have been replaced unnoticed between survey and
        // reading.
        if let Some(index_entry) = &mut index_entry
            && index_entry.settled
            && index_entry.digest.is_none()
        {
            index_entry.digest = self.learned.get(&index).copied();
        }
        Ok(index_entry)
    }

    /// The rewriter for old contents.
    pub fn rewriter(&mut self) -> Result<&Rewriter, AgentError> {
        self.renames.rewriter(&mut self.index_entries)
    }

    /// Amends a file that could not be staged.
    pub fn amend(&mut self, action: ActionIndex, amended: Amended) -> Result<(), AgentError> {
        if self.is_staged(action) || self.file_action(action)?.is_none() {
            return Err(AgentError::protocol("amend of what is not missing"));
        }
        self.amended.insert(action, amended);
        Ok(())
    }

    /// Makes a touch a copy: the mode and times of the file can't be set where it is.
    pub fn copy_instead(&mut self, action: ActionIndex) {
        self.copies.resize(self.wire_actions.len() as usize, false);
        if let Some(copy) = self.copies.get_mut(action.position()) {
            *copy = true;
        }
    }

    /// The file of a touch that is a copy of itself.
    fn as_copy(&mut self, file: &mut FileAction, known: EntryIndex) -> io::Result<()> {
        let index_entry = self.index_entries.get(known)?.ok_or(io::ErrorKind::NotFound)?;
        file.size = index_entry.entry.file_size().unwrap_or(0);
        file.digest = index_entry.digest.or_else(|| self.learned.get(&known).copied());
        file.recipe = Recipe::Copy { from: Basis::Existing(known) };
        Ok(())
    }

    /// Records that an action's file is staged.
    pub fn set_staged(&mut self, action: ActionIndex) {
        if let Some(staged) = self.staged.get_mut(action.position()) {
            *staged = true;
        }
    }

    /// Whether an action's file is staged.
    pub fn is_staged(&self, action: ActionIndex) -> bool {
        self.staged.get(action.position()).copied().unwrap_or(false)
    }

    /// The partials that the plan uses.
    pub fn used_partials(&mut self) -> Result<HashSet<PartialIndex>, AgentError> {
        let mut used = HashSet::new();
        for position in self.wire_actions.indices() {
            if let Some(Recipe::Copy { from: Basis::Partial(partial) }) =
                self.file_action(position)?.as_ref().and_then(Action::file).map(|file| file.recipe)
            {
                used.insert(partial);
            }
        }
        Ok(used)
    }

    /// Bytes that staging everything takes; partials take none but for the one that is being
    /// copied.
    pub fn staged_bytes(&mut self) -> Result<u64, AgentError> {
        let (mut total, mut largest_partial) = (0_u64, 0);
        for position in self.wire_actions.indices() {
            let action = self.action(position).map_err(AgentError::WorkFiles)?;
            let file = action.as_ref().and_then(Action::file);
            total = total.saturating_add(file.map_or(0, FileAction::staged_bytes));
            if let Some(FileAction {
                recipe: Recipe::Copy { from: Basis::Partial(_) }, size, ..
            }) = file
            {
                largest_partial = largest_partial.max(*size);
            }
        }
        Ok(total.saturating_add(largest_partial))
    }

    /// The action with this index, if it stages a file.
    pub fn file_action(&mut self, position: ActionIndex) -> Result<Option<Action>, AgentError> {
        let action = self.action(position).map_err(AgentError::WorkFiles)?;
        Ok(action.filter(|action| action.file().is_some_and(|file| file.digest.is_some())))
    }
}

impl Actions for PlanStore {
    fn count(&self) -> u32 {
        self.wire_actions.len()
    }

    fn action(&mut self, position: ActionIndex) -> io::Result<Option<Action>> {
        let Some(wire_action) = self.wire_actions.get(position)? else { return Ok(None) };
        let mut action = self.resolve(wire_action)?;
        if let (ActionKind::File(file), Some(known), Some(true)) =
            (&mut action.what, action.known, self.copies.get(position.position()))
        {
            self.as_copy(file, known)?;
        }
        if let (ActionKind::File(file), Some(amended)) =
            (&mut action.what, self.amended.get(&position))
        {
            (file.size, file.mtime, file.digest) =
                (amended.size, amended.mtime, Some(amended.digest));
        }
        Ok(Some(action))
    }

    fn existing(&mut self, known: EntryIndex) -> io::Result<Option<Entry>> {
        Ok(self.index_entries.get(known)?.map(|index_entry| index_entry.entry))
    }
}

/// Checks that a plan is consistent in itself; the sender is not trusted.
struct PlanCheck {
    /// The last path, and whether it is a directory.
    last: Option<(RelPath, bool)>,
    bases: BasisCounts,
}

impl PlanCheck {
    fn action(
        &mut self,
        action: &Action,
        position: ActionIndex,
        index_entries: u32,
    ) -> Result<(), AgentError> {
        let path = &action.path;
        if let Some((last, holds)) = &self.last {
            if path <= last {
                return Err(AgentError::Protocol(format!("{path} is out of order")));
            }
            if !holds && path.starts_with(last) && !is_delete(&action.what) {
                return Err(AgentError::Protocol(format!("{path} is below what is no directory")));
            }
        }
        if path.names().any(assetsync_core::work_names::is_work_dir_name) {
            return Err(AgentError::Protocol(format!("{path} is the agent's own")));
        }
        self.what(action, position, index_entries)?;
        let is_dir = matches!(action.what, ActionKind::Dir { .. });
        let below_last =
            self.last.as_ref().is_some_and(|(last, holds)| !holds && path.starts_with(last));
        // After deletes below a path that becomes a file, later paths are still compared with that
        // path.
        if !below_last {
            self.last = Some((path.clone(), is_dir));
        }
        Ok(())
    }

    fn what(
        &self,
        action: &Action,
        position: ActionIndex,
        index_entries: u32,
    ) -> Result<(), AgentError> {
        let fits = match &action.what {
            ActionKind::Delete | ActionKind::Prune => action.known.is_some(),
            ActionKind::File(file) => match file.recipe {
                Recipe::Keep | Recipe::Touch => action.known.is_some(),
                Recipe::Whole => true,
                Recipe::Copy { from: basis }
                | Recipe::Rewrite { basis }
                | Recipe::Regzip { plain: basis }
                | Recipe::Patch { reference: Reference { basis, .. } }
                | Recipe::Delta { reference: Reference { basis, .. }, .. } => match basis {
                    Basis::Existing(known) => known.number() < index_entries,
                    Basis::Partial(partial) => partial.number() < self.bases.partials,
                    Basis::Planned(planned) => planned < position,
                    Basis::Retained(retained_contents) => {
                        retained_contents.number() < self.bases.retained_contents
                    }
                },
            },
            ActionKind::Respell { to } => {
                action.known.is_some()
                    && !to.names().any(assetsync_core::work_names::is_work_dir_name)
            }
            ActionKind::Dir { .. } | ActionKind::Symlink { .. } => true,
        };
        if fits {
            Ok(())
        } else {
            Err(AgentError::Protocol(format!("{} names what is not there", action.path)))
        }
    }
}

/// Whether an index entry is a regular file.
pub fn is_file(index_entry: &IndexEntry) -> bool {
    matches!(index_entry.entry.kind, Kind::File { .. })
}

/// Whether an action removes its path, now or when pruning, or respells it.
fn is_delete(what: &ActionKind) -> bool {
    matches!(what, ActionKind::Delete | ActionKind::Prune | ActionKind::Respell { .. })
}
