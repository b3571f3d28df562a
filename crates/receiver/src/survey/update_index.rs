//! Rewrites the index after a push: drops deleted paths and adds published ones.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{CARRIED_MODE, Entry, Mtime};
use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::state::StateId;
use assetsync_tree::{FileMetadata, OpenTree, metadata_of_open};

use super::walk::{is_settled, settled_since};
use crate::publishing::actions::Actions;
use crate::publishing::whole_directory::ChangedFiles;
use crate::staging::plan_store::{PlanStore, is_file};
use crate::survey::index::{IndexReader, IndexWriter};
use crate::survey::index_entry::IndexEntry;
use crate::work::work_dir::WorkDir;

/// Saves the index. Files without a known digest are read once, so that from now on every changed
/// file is noticed, even with its old size and mtime. If the files were linked into a new tree,
/// which changes their ctime, all of them are checked again, and those that `changed` before that
/// are read. The plan was done by `done`, a time of the file system's clock. Returns the index's
/// state id, and what the user has to know.
pub fn save_index(
    plan: &mut PlanStore,
    tree: &mut OpenTree,
    work: &WorkDir,
    done: Mtime,
    changed: Option<&ChangedFiles>,
) -> std::io::Result<(StateId, Option<String>)> {
    let clock = if plan.wire_actions.is_empty() { done } else { settled_since(work, done)? };
    let (buffer, index) = (vec![0; 64 * 1024], IndexWriter::create(work.dir())?);
    let mut keeper = IndexUpdate { tree, clock, buffer, index, changed, differing: 0 };
    let (mut at_record, mut at_action) = (Index::new(0), Index::new(0));
    loop {
        let index_entry = plan.index_entry(at_record)?;
        let action = plan.action(at_action)?;
        match (index_entry, action) {
            (None, None) => break,
            (Some(index_entry), Some(action)) if index_entry.entry.path == action.path => {
                keeper.published(&action, Some((at_record, &index_entry)))?;
                (at_record, at_action) = (at_record.next(), at_action.next());
            }
            (Some(index_entry), action)
                if action.as_ref().is_none_or(|action| index_entry.entry.path < action.path) =>
            {
                keeper.kept(at_record, index_entry)?;
                at_record = at_record.next();
            }
            (_, Some(action)) => {
                keeper.published(&action, None)?;
                at_action = at_action.next();
            }
            (Some(_), None) => break,
        }
    }
    let notice = (keeper.differing > 0).then(|| kept_by_file_system(keeper.differing));
    Ok((keeper.index.finish()?, notice))
}

fn kept_by_file_system(paths: u32) -> String {
    format!(
        "{paths} paths have other permission bits or times than were pushed: the destination's file \
         system keeps its own, or they belong to another user; that is remembered, and they are not \
         changed again"
    )
}

/// Whether the mode or the time is another one, more than a clock's resolution explains.
fn is_other(index_entry: &IndexEntry) -> bool {
    /// That of FAT.
    const COARSEST_SECS: u64 = 2;
    index_entry.kept.is_some_and(|(mode, mtime)| {
        let secs = mtime.secs.abs_diff(index_entry.entry.mtime.secs);
        mode != index_entry.entry.mode || secs > COARSEST_SECS
    })
}

/// Saves the index again after pruning, without the pruned paths. Returns its state id, or `None`
/// if there is no index.
pub fn remove_pruned(
    plan: &mut PlanStore,
    tree: &mut OpenTree,
    work: &WorkDir,
) -> std::io::Result<Option<StateId>> {
    let Some(mut old) = IndexReader::open(work.dir()) else { return Ok(None) };
    let mut new = IndexWriter::create(work.dir())?;
    let (mut at_action, mut pruned) = (Index::new(0), None);
    while let Some(index_entry) = old.take_next() {
        while pruned.as_ref().is_none_or(|path| *path < index_entry.entry.path) {
            let Some(action) = plan.action(at_action)? else { break };
            at_action = at_action.next();
            if action.what == ActionKind::Prune {
                pruned = Some(action.path);
            }
        }
        let is_pruned = pruned.as_ref() == Some(&index_entry.entry.path);
        if !is_pruned || tree.file_metadata(&index_entry.entry.path)?.is_some() {
            new.push(&index_entry)?;
        }
    }
    new.finish().map(Some)
}

struct IndexUpdate<'a> {
    tree: &'a mut OpenTree,
    /// The file system's clock before any file was checked.
    clock: Mtime,
    buffer: Vec<u8>,
    index: IndexWriter<'a>,
    /// If the files were linked into a new tree: those that changed before that.
    changed: Option<&'a ChangedFiles>,
    /// Number of published paths whose mode or time is another than was asked for.
    differing: u32,
}

impl IndexUpdate<'_> {
    /// Adds an entry that the push did not change.
    fn kept(&mut self, position: EntryIndex, mut index_entry: IndexEntry) -> std::io::Result<()> {
        if let Some(changed) = self.changed.filter(|_| is_file(&index_entry)) {
            let known = index_entry.digest.filter(|_| !changed.has(position));
            let file_metadata = self.tree.file_metadata(&index_entry.entry.path)?;
            index_entry.digest = known.filter(|_| {
                file_metadata
                    .as_ref()
                    .is_some_and(|file_metadata| is_still(&index_entry, file_metadata))
            });
            if let (Some(digest), Some(file_metadata)) = (index_entry.digest, file_metadata) {
                let asked = (index_entry.entry.mode, index_entry.entry.mtime);
                index_entry = self.index_entry(index_entry.entry.path, file_metadata, Some(digest));
                index_entry.asked(asked);
            }
        }
        if is_file(&index_entry) && index_entry.digest.is_none() {
            match self.hash_unknown(&index_entry.entry.path) {
                Some((file_metadata, digest)) => {
                    index_entry =
                        self.index_entry(index_entry.entry.path, file_metadata, Some(digest))
                }
                None => return Ok(()),
            }
        }
        self.index.push(&index_entry)
    }

    /// Adds a published path. Its metadata is read again, as it may have been changed since.
    fn published(
        &mut self,
        action: &Action,
        before: Option<(EntryIndex, &IndexEntry)>,
    ) -> std::io::Result<()> {
        if matches!(action.what, ActionKind::Respell { .. }) {
            return Ok(());
        }
        if let (ActionKind::Prune, Some((position, before))) = (&action.what, before) {
            return self.kept(position, before.clone());
        }
        let Some(file_metadata) = self.tree.file_metadata(&action.path)? else { return Ok(()) };
        let mut known = None;
        if let ActionKind::File(file) = &action.what {
            let as_made = file_metadata.mtime == file.mtime && file_metadata.mode == file.mode;
            known =
                file.digest.or(before.and_then(|(_, before)| before.digest)).filter(|_| as_made);
            if known.is_none() {
                known = self.hash_unknown(&action.path).map(|(_, digest)| digest);
            }
        }
        let mut file_metadata = file_metadata;
        if let (
            ActionKind::Symlink { target, .. },
            assetsync_core::entry::Kind::Symlink { target: read },
        ) = (&action.what, &mut file_metadata.kind)
        {
            read.clone_from(target);
        }
        let mut index_entry = self.index_entry(action.path.clone(), file_metadata, known);
        let (mode, mtime) = index_entry.actual();
        index_entry.asked(match &action.what {
            ActionKind::File(file) => (file.mode & CARRIED_MODE, file.mtime),
            ActionKind::Dir { mode } => (*mode & CARRIED_MODE, mtime),
            ActionKind::Symlink { mtime, .. } => (mode, *mtime),
            _ => (mode, mtime),
        });
        self.differing += u32::from(is_other(&index_entry));
        self.index.push(&index_entry)
    }

    fn index_entry(
        &self,
        path: RelPath,
        file_metadata: FileMetadata,
        digest: Option<Digest>,
    ) -> IndexEntry {
        let entry = Entry {
            path,
            kind: file_metadata.kind,
            mode: file_metadata.mode,
            mtime: file_metadata.mtime,
        };
        let settled = is_settled(file_metadata.version.ctime, self.clock);
        IndexEntry { entry, kept: None, version: file_metadata.version, digest, settled }
    }

    /// Reads a file; `None` if it can't be read or changes meanwhile.
    fn hash_unknown(&mut self, path: &RelPath) -> Option<(FileMetadata, Digest)> {
        let file = self.tree.open_file(path).ok()?;
        let before = metadata_of_open(&file).ok()?;
        let (digest, _) = Digest::of_reader(&file, &mut self.buffer).ok()?;
        let after = metadata_of_open(&file).ok()?;
        (before == after).then_some((after, digest))
    }
}

/// Whether a file is unchanged, except for its link count and ctime.
fn is_still(index_entry: &IndexEntry, file_metadata: &FileMetadata) -> bool {
    let entry = &index_entry.entry;
    let is_same = entry.kind == file_metadata.kind
        && index_entry.actual() == (file_metadata.mode, file_metadata.mtime);
    is_same && index_entry.version.ino == file_metadata.version.ino
}
