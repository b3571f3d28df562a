//! Writes the index anew after a push: what was known, less what is gone, with what was published.

use super::book::{Book, is_file};
use super::directory::Changed;
use super::survey::{file_system_now, is_settled, settled_now};
use crate::digest::Digest;
use crate::entry::{Entry, Mtime};
use crate::fs::index::{IndexReader, IndexWriter};
use crate::fs::publish::Actions;
use crate::fs::record::Record;
use crate::fs::tree::{Facts, Tree, facts_of_open};
use crate::fs::work::Work;
use crate::path::RelPath;
use crate::plan::{Action, What};
use crate::state::StateId;

/// Saves the index. Files whose digest nobody knows are read for it, once, so that from now on a changed
/// file is noticed whatever its size and mtime. Where the files were linked into a new tree, which changes their
/// ctime, all of them are looked at again; those that `changed` before that are read. Gives the id of what the index
/// tells.
pub fn save_index(
    book: &mut Book,
    tree: &mut Tree,
    work: &Work,
    changed: Option<&Changed>,
) -> std::io::Result<StateId> {
    let clock = if book.orders.is_empty() { file_system_now(work)? } else { settled_now(work)? };
    let (buffer, index) = (vec![0; 64 * 1024], IndexWriter::create(work.dir())?);
    let mut keeper = Keeper { tree, clock, buffer, index, changed };
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
pub fn drop_pruned(
    book: &mut Book,
    tree: &mut Tree,
    work: &Work,
) -> std::io::Result<Option<StateId>> {
    let Some(mut old) = IndexReader::open(work.dir()) else { return Ok(None) };
    let mut new = IndexWriter::create(work.dir())?;
    let (mut at_action, mut pruned) = (0, None);
    while let Some(record) = old.take_next() {
        while pruned.as_ref().is_none_or(|path| *path < record.entry.path) {
            let Some(action) = book.action(at_action)? else { break };
            at_action += 1;
            if action.what == What::Prune {
                pruned = Some(action.path);
            }
        }
        let is_pruned = pruned.as_ref() == Some(&record.entry.path);
        if !is_pruned || tree.facts(&record.entry.path)?.is_some() {
            new.push(&record)?;
        }
    }
    new.finish().map(Some)
}

struct Keeper<'a> {
    tree: &'a mut Tree,
    /// The file system's clock before any file was looked at.
    clock: Mtime,
    buffer: Vec<u8>,
    index: IndexWriter<'a>,
    /// If the files were linked into a new tree: those that are not what they were.
    changed: Option<&'a Changed>,
}

impl Keeper<'_> {
    /// What the push did not touch.
    fn kept(&mut self, position: u32, mut record: Record) -> std::io::Result<()> {
        if let Some(changed) = self.changed.filter(|_| is_file(&record)) {
            let known = record.digest.filter(|_| !changed.has(position));
            let facts = self.tree.facts(&record.entry.path)?;
            record.digest =
                known.filter(|_| facts.as_ref().is_some_and(|facts| is_still(&record, facts)));
            if let (Some(digest), Some(facts)) = (record.digest, facts) {
                record = self.record(record.entry.path, facts, Some(digest));
            }
        }
        if is_file(&record) && record.digest.is_none() {
            match self.learn(&record.entry.path) {
                Some((facts, digest)) => {
                    record = self.record(record.entry.path, facts, Some(digest))
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
        before: Option<(u32, &Record)>,
    ) -> std::io::Result<()> {
        if matches!(action.what, What::Respell { .. }) {
            return Ok(());
        }
        if let (What::Prune, Some((position, before))) = (&action.what, before) {
            return self.kept(position, before.clone());
        }
        let Some(facts) = self.tree.facts(&action.path)? else { return Ok(()) };
        let mut known = None;
        if let What::File(file) = &action.what {
            let as_made = facts.mtime == file.mtime && facts.mode == file.mode;
            known =
                file.digest.or(before.and_then(|(_, before)| before.digest)).filter(|_| as_made);
            if known.is_none() {
                known = self.learn(&action.path).map(|(_, digest)| digest);
            }
        }
        let mut facts = facts;
        if let (What::Symlink { target, .. }, crate::entry::Kind::Symlink { target: read }) =
            (&action.what, &mut facts.kind)
        {
            read.clone_from(target);
        }
        let record = self.record(action.path.clone(), facts, known);
        self.index.push(&record)
    }

    fn record(&self, path: RelPath, facts: Facts, digest: Option<Digest>) -> Record {
        let entry = Entry { path, kind: facts.kind, mode: facts.mode, mtime: facts.mtime };
        let settled = is_settled(facts.stamp.ctime, self.clock);
        Record { entry, stamp: facts.stamp, digest, settled }
    }

    /// Reads a file; nothing is learned from one that can't be read or changes meanwhile.
    fn learn(&mut self, path: &RelPath) -> Option<(Facts, Digest)> {
        let file = self.tree.open_file(path).ok()?;
        let before = facts_of_open(&file).ok()?;
        let (digest, _) = Digest::of_reader(&file, &mut self.buffer).ok()?;
        let after = facts_of_open(&file).ok()?;
        (before == after).then_some((after, digest))
    }
}

/// Whether a file is what it was, but for what a second name changes.
fn is_still(record: &Record, facts: &Facts) -> bool {
    let entry = &record.entry;
    let is_same = (&entry.kind, entry.mode, entry.mtime) == (&facts.kind, facts.mode, facts.mtime);
    is_same && record.stamp.ino == facts.stamp.ino
}
