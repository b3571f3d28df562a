//! Writes the index anew after a push: what was known, less what is gone, with what was published.

use assetsync_core::digest::Digest;
use assetsync_core::entry::{Entry, Mtime};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind};
use assetsync_core::state::StateId;
use assetsync_tree::{FileMetadata, OpenTree, metadata_of_open};

use super::walk::{file_system_now, is_settled, settled_now};
use crate::publishing::publisher::Actions;
use crate::publishing::whole_directory::ChangedFiles;
use crate::staging::plan_store::{PlanStore, is_file};
use crate::survey::index::{IndexReader, IndexWriter};
use crate::survey::index_entry::IndexEntry;
use crate::work::work_dir::WorkDir;

/// Saves the index. Files whose digest nobody knows are read for it, once, so that from now on a changed
/// file is noticed whatever its size and mtime. Where the files were linked into a new tree, which changes their
/// ctime, all of them are looked at again; those that `changed` before that are read. Gives the id of what the index
/// tells.
pub fn save_index(
    book: &mut PlanStore,
    tree: &mut OpenTree,
    work: &WorkDir,
    changed: Option<&ChangedFiles>,
) -> std::io::Result<StateId> {
    let clock =
        if book.wire_actions.is_empty() { file_system_now(work)? } else { settled_now(work)? };
    let (buffer, index) = (vec![0; 64 * 1024], IndexWriter::create(work.dir())?);
    let mut keeper = IndexUpdate { tree, clock, buffer, index, changed };
    let (mut at_record, mut at_action) = (0, 0);
    loop {
        let record = book.record(at_record)?;
        let action = book.action(at_action)?;
        match (record, action) {
            (None, None) => break,
            (Some(record), Some(action)) if record.entry.path == action.path => {
                keeper.published(&action, Some((at_record, &record)))?;
                (at_record, at_action) = (at_record + 1, at_action + 1);
            }
            (Some(record), action)
                if action.as_ref().is_none_or(|action| record.entry.path < action.path) =>
            {
                keeper.kept(at_record, record)?;
                at_record += 1;
            }
            (_, Some(action)) => {
                keeper.published(&action, None)?;
                at_action += 1;
            }
            (Some(_), None) => break,
        }
    }
    keeper.index.finish()
}

/// Saves the index again after pruning: as it is, less what is gone. Gives the id of what it tells, or `None` if it
/// is gone itself.
pub fn remove_pruned(
    book: &mut PlanStore,
    tree: &mut OpenTree,
    work: &WorkDir,
) -> std::io::Result<Option<StateId>> {
    let Some(mut old) = IndexReader::open(work.dir()) else { return Ok(None) };
    let mut new = IndexWriter::create(work.dir())?;
    let (mut at_action, mut pruned) = (0, None);
    while let Some(record) = old.take_next() {
        while pruned.as_ref().is_none_or(|path| *path < record.entry.path) {
            let Some(action) = book.action(at_action)? else { break };
            at_action += 1;
            if action.what == ActionKind::Prune {
                pruned = Some(action.path);
            }
        }
        let is_pruned = pruned.as_ref() == Some(&record.entry.path);
        if !is_pruned || tree.file_metadata(&record.entry.path)?.is_some() {
            new.push(&record)?;
        }
    }
    new.finish().map(Some)
}

struct IndexUpdate<'a> {
    tree: &'a mut OpenTree,
    /// The file system's clock before any file was looked at.
    clock: Mtime,
    buffer: Vec<u8>,
    index: IndexWriter<'a>,
    /// If the files were linked into a new tree: those that are not what they were.
    changed: Option<&'a ChangedFiles>,
}

impl IndexUpdate<'_> {
    /// What the push did not touch.
    fn kept(&mut self, position: u32, mut record: IndexEntry) -> std::io::Result<()> {
        if let Some(changed) = self.changed.filter(|_| is_file(&record)) {
            let known = record.digest.filter(|_| !changed.has(position));
            let file_metadata = self.tree.file_metadata(&record.entry.path)?;
            record.digest = known.filter(|_| {
                file_metadata.as_ref().is_some_and(|file_metadata| is_still(&record, file_metadata))
            });
            if let (Some(digest), Some(file_metadata)) = (record.digest, file_metadata) {
                record = self.record(record.entry.path, file_metadata, Some(digest));
            }
        }
        if is_file(&record) && record.digest.is_none() {
            match self.hash_unknown(&record.entry.path) {
                Some((file_metadata, digest)) => {
                    record = self.record(record.entry.path, file_metadata, Some(digest))
                }
                None => return Ok(()),
            }
        }
        self.index.push(&record)
    }

    /// What the push made of a path: looked at again, for it may have been changed since.
    fn published(
        &mut self,
        action: &Action,
        before: Option<(u32, &IndexEntry)>,
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
        let record = self.record(action.path.clone(), file_metadata, known);
        self.index.push(&record)
    }

    fn record(
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
        IndexEntry { entry, version: file_metadata.version, digest, settled }
    }

    /// Reads a file; nothing is learned from one that can't be read or changes meanwhile.
    fn hash_unknown(&mut self, path: &RelPath) -> Option<(FileMetadata, Digest)> {
        let file = self.tree.open_file(path).ok()?;
        let before = metadata_of_open(&file).ok()?;
        let (digest, _) = Digest::of_reader(&file, &mut self.buffer).ok()?;
        let after = metadata_of_open(&file).ok()?;
        (before == after).then_some((after, digest))
    }
}

/// Whether a file is what it was, but for what a second name changes.
fn is_still(record: &IndexEntry, file_metadata: &FileMetadata) -> bool {
    let entry = &record.entry;
    let is_same = (&entry.kind, entry.mode, entry.mtime)
        == (&file_metadata.kind, file_metadata.mode, file_metadata.mtime);
    is_same && record.version.ino == file_metadata.version.ino
}
