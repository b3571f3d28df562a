//! The plan as an agent keeps it: orders, the records they name by position, and what became of each.

use std::collections::{HashMap, HashSet};
use std::io;

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Kind, Mtime};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, ActionPath, FileAction, WireAction};
use assetsync_core::protocol::ToAgent;
use assetsync_core::recipe::{Basis, Recipe, Reference};
use assetsync_rewrite::Rewriter;

use super::rename_table::RenameTable;
use crate::conversation::Conversation;
use crate::error::AgentError;
use crate::publishing::publisher::Actions;
use crate::spool::Spool;
use crate::survey::answer_queries::Learned;
use crate::survey::index_entry::IndexEntry;

/// The plan and its progress.
pub struct PlanStore {
    /// What to do.
    pub wire_actions: Spool<WireAction>,
    /// What stands at the destination.
    pub records: Spool<IndexEntry>,
    /// Digests of records that have none, by position; what it takes to answer the sender's questions.
    pub learned: Learned,
    /// Which paths succeed which.
    renaming: RenameTable,
    /// Which actions have their file staged.
    staged: Vec<bool>,
    /// New measures of files that changed at the source after they were planned.
    amended: HashMap<u32, Amended>,
}

/// How much a plan may build on besides what stands at the destination.
#[derive(Debug, Clone, Copy)]
pub struct BasisCounts {
    /// Leftovers of interrupted pushes.
    pub partials: u32,
    /// Contents that are set aside.
    pub retained_contents: u32,
}

/// New measures of a file.
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
    /// Reads the rest of a plan that begins with `first`, checking every order before any is carried out.
    /// Also says whether to publish without being asked again.
    pub fn receive(
        first: Option<WireAction>,
        records: Spool<IndexEntry>,
        renaming: RenameTable,
        usable: BasisCounts,
        spool_dir: &std::path::Path,
        conversation: &mut Conversation,
    ) -> Result<PlanStore, AgentError> {
        let mut book = PlanStore {
            wire_actions: Spool::new(spool_dir),
            records,
            learned: Learned::new(),
            renaming,
            staged: Vec::new(),
            amended: HashMap::new(),
        };
        let mut check = PlanCheck { last: None, usable };
        let mut next = first;
        while let Some(order) = next {
            let action = book.resolve(order.clone()).map_err(AgentError::protocol)?;
            check.action(&action, book.wire_actions.len(), book.records.len())?;
            if u64::from(book.wire_actions.len()) >= limits::ENTRIES {
                return Err(AgentError::protocol("too many actions"));
            }
            book.wire_actions.push(&order).map_err(AgentError::WorkFiles)?;
            next = match conversation.message()? {
                ToAgent::Action(order) => Some(order),
                ToAgent::PlanEnd => None,
                other => return Err(AgentError::unexpected(&other, "in a plan")),
            };
        }
        book.staged = vec![false; book.wire_actions.len() as usize];
        Ok(book)
    }

    fn resolve(&mut self, order: WireAction) -> io::Result<Action> {
        let (path, known) = match order.place {
            ActionPath::New(path) => (path, None),
            ActionPath::Existing(known) => {
                let record = self.records.get(known)?;
                let record = record.ok_or_else(|| io::Error::other("position out of range"))?;
                (record.entry.path, Some(known))
            }
            ActionPath::Renamed(renamed) => {
                let path = self.renaming.path(renamed, &mut self.records)?;
                (path.ok_or_else(|| io::Error::other("rename to what is no path"))?, None)
            }
        };
        Ok(Action { path, known, what: order.what })
    }

    /// The record at a position, with what was learned of it since the survey.
    pub fn record(&mut self, position: u32) -> io::Result<Option<IndexEntry>> {
        let mut record = self.records.get(position)?;
        // A version that is not settled may have been replaced, unnoticed, between survey and reading.
        if let Some(record) = &mut record
            && record.settled
            && record.digest.is_none()
        {
            record.digest = self.learned.get(&position).copied();
        }
        Ok(record)
    }

    /// What rewrites old contents.
    pub fn rewriter(&mut self) -> Result<&Rewriter, AgentError> {
        self.renaming.rewriter(&mut self.records)
    }

    /// Takes note of new measures of a file that could not be staged.
    pub fn amend(&mut self, action: u32, amended: Amended) -> Result<(), AgentError> {
        if self.is_staged(action) || self.file_action(action)?.is_none() {
            return Err(AgentError::protocol("amend of what is not missing"));
        }
        self.amended.insert(action, amended);
        Ok(())
    }

    /// Takes note that an action's file is staged.
    pub fn set_staged(&mut self, action: u32) {
        if let Some(staged) = self.staged.get_mut(action as usize) {
            *staged = true;
        }
    }

    /// Whether an action's file is staged.
    pub fn is_staged(&self, action: u32) -> bool {
        self.staged.get(action as usize).copied().unwrap_or(false)
    }

    /// Which leftovers the plan uses.
    pub fn used_partials(&mut self) -> Result<HashSet<u32>, AgentError> {
        let mut used = HashSet::new();
        for position in 0..self.wire_actions.len() {
            if let Some(Recipe::Copy { from: Basis::Partial(partial) }) =
                self.file_action(position)?.as_ref().and_then(Action::file).map(|file| file.recipe)
            {
                used.insert(partial);
            }
        }
        Ok(used)
    }

    /// Bytes that staging everything takes; leftovers are there already.
    pub fn staged_bytes(&mut self) -> Result<u64, AgentError> {
        let mut total = 0_u64;
        for position in 0..self.wire_actions.len() {
            let action = self.action(position).map_err(AgentError::WorkFiles)?;
            let file = action.as_ref().and_then(Action::file);
            total = total.saturating_add(file.map_or(0, FileAction::staged_bytes));
        }
        Ok(total)
    }

    /// The action at `position` if it stages a file.
    pub fn file_action(&mut self, position: u32) -> Result<Option<Action>, AgentError> {
        let action = self.action(position).map_err(AgentError::WorkFiles)?;
        Ok(action.filter(|action| action.file().is_some_and(|file| file.digest.is_some())))
    }
}

impl Actions for PlanStore {
    fn action(&mut self, position: u32) -> io::Result<Option<Action>> {
        let Some(order) = self.wire_actions.get(position)? else { return Ok(None) };
        let mut action = self.resolve(order)?;
        if let (ActionKind::File(file), Some(amended)) =
            (&mut action.what, self.amended.get(&position))
        {
            (file.size, file.mtime, file.digest) =
                (amended.size, amended.mtime, Some(amended.digest));
        }
        Ok(Some(action))
    }
}

/// Checks that a plan makes sense by itself, whoever wrote it.
struct PlanCheck {
    /// The last path, and whether something can be below it.
    last: Option<(RelPath, bool)>,
    usable: BasisCounts,
}

impl PlanCheck {
    fn action(&mut self, action: &Action, position: u32, records: u32) -> Result<(), AgentError> {
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
        self.what(action, position, records)?;
        let is_dir = matches!(action.what, ActionKind::Dir { .. });
        let below_last =
            self.last.as_ref().is_some_and(|(last, holds)| !holds && path.starts_with(last));
        // Deletes below a path that becomes a file leave that path the one to compare with.
        if !below_last {
            self.last = Some((path.clone(), is_dir));
        }
        Ok(())
    }

    fn what(&self, action: &Action, position: u32, records: u32) -> Result<(), AgentError> {
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
                    Basis::Existing(known) => known < records,
                    Basis::Partial(partial) => partial < self.usable.partials,
                    Basis::Planned(planned) => planned < position,
                    Basis::Retained(retained_contents) => {
                        retained_contents < self.usable.retained_contents
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

/// Whether a record is a regular file.
pub fn is_file(record: &IndexEntry) -> bool {
    matches!(record.entry.kind, Kind::File { .. })
}

/// Whether nothing shall stand at a path, now or after pruning, or only under another spelling.
fn is_delete(what: &ActionKind) -> bool {
    matches!(what, ActionKind::Delete | ActionKind::Prune | ActionKind::Respell { .. })
}
