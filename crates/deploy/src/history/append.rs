//! From one deploy to the next: what changes in the history, small enough to travel and to be
//! appended.

use std::collections::HashSet;

use assetsync_core::path::RelPath;
use assetsync_core::protocol::DecodeError;

use super::deploys::{Deploy, History, VersionSpan, position};
use super::tree::{FileAttributes, HistoryFile, Tree, check_paths};
use super::{HistoryError, limits};

/// One more deploy in a history, as differences from its newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryStep {
    /// How many of the oldest deploys are forgotten first.
    pub(super) forgotten: u32,
    /// The history's orphans from now on, in tree order.
    pub(super) orphans: Vec<RelPath>,
    pub(super) deploy: Deploy,
    /// Positions in the newest tree of files that this one lacks, ascending.
    pub(super) removed: Vec<u32>,
    /// Files with the same content and other attributes, by position in the newest tree, ascending.
    pub(super) attributes_changed: Vec<(u32, FileAttributes)>,
    /// Files that the newest tree lacks, in tree order.
    pub(super) added: Vec<HistoryFile>,
}

impl HistoryStep {
    /// From one tree to another: both are walked together, in tree order.
    pub(super) fn between(deploy: Deploy, newest: &Tree, wanted: &Tree) -> HistoryStep {
        let (mut removed, mut attributes_changed, mut added) = (Vec::new(), Vec::new(), Vec::new());
        let mut old = (0..).zip(newest.files()).peekable();
        for file in wanted.files() {
            while let Some((at, _)) = old.next_if(|(_, known)| known.path < file.path) {
                removed.push(at);
            }
            match old.next_if(|(_, known)| known.path == file.path) {
                Some((_, known)) if known == file => {}
                Some((at, known)) if known.content == file.content => {
                    attributes_changed.push((at, file.attributes));
                }
                other => {
                    removed.extend(other.map(|(at, _)| at));
                    added.push(file.clone());
                }
            }
        }
        removed.extend(old.map(|(at, _)| at));
        HistoryStep {
            forgotten: 0,
            orphans: Vec::new(),
            deploy,
            removed,
            attributes_changed,
            added,
        }
    }
}

impl History {
    /// The step that records `deploy` with the tree `wanted`.
    ///
    /// Deploys before `first_kept` are forgotten (see [`Retention`](super::Retention)), but never
    /// the newest. Their files that are among `existing` and belong to no other deploy are kept as
    /// orphans, so that they are deleted later.
    pub fn step<'a>(
        &self,
        deploy: Deploy,
        wanted: &Tree,
        first_kept: usize,
        existing: impl Iterator<Item = &'a RelPath>,
    ) -> HistoryStep {
        let newest = self.live().map_or_else(Tree::default, |live| self.tree(live));
        let too_many = (self.deploys.len() + 1).saturating_sub(limits::DEPLOYS);
        let forgotten = first_kept.max(too_many).min(self.live().unwrap_or(0));
        HistoryStep {
            forgotten: position(forgotten),
            orphans: self.orphans_after(forgotten, wanted, existing),
            ..HistoryStep::between(deploy, &newest, wanted)
        }
    }

    /// Existing files that a forgotten deploy put there and that belong to no other.
    fn orphans_after<'a>(
        &self,
        forgotten: usize,
        wanted: &Tree,
        existing: impl Iterator<Item = &'a RelPath>,
    ) -> Vec<RelPath> {
        let before: HashSet<&RelPath> = self.orphans.iter().collect();
        let is_left = |path: &&RelPath| match self.last_use(path) {
            Some(last) => last < forgotten,
            None => before.contains(path),
        };
        let mut orphans: Vec<RelPath> =
            existing.filter(|path| wanted.get(path).is_none()).filter(is_left).cloned().collect();
        orphans.sort();
        orphans.dedup();
        orphans
    }

    /// Applies a step, and refuses invalid ones.
    pub fn apply(mut self, step: HistoryStep) -> Result<History, HistoryError> {
        if let Some(repeated) = self.deploys.iter().find(|known| known.id == step.deploy.id) {
            return Err(HistoryError::Repeated(repeated.id));
        }
        self.forget(step.forgotten)?;
        let new = position(self.deploys.len());
        self.continue_spans(&step, new)?;
        self.orphans = step.orphans;
        self.spans.extend(step.added.into_iter().map(|file| VersionSpan::starting(file, new)));
        self.spans.sort_by(|a, b| a.path.cmp(&b.path).then(a.first.cmp(&b.first)));
        self.deploys.push(step.deploy);
        self.check_sizes()?;
        check_paths(self.spans.iter().filter(|span| span.covers(new)).map(|span| &span.path))?;
        Ok(self)
    }

    fn check_sizes(&self) -> Result<(), HistoryError> {
        at_most("deploys", self.deploys.len(), limits::DEPLOYS)?;
        at_most("versions of files", self.spans.len(), limits::VERSIONS)
    }

    /// The newest deploy is never forgotten: the next one is recorded as differences from it.
    fn forget(&mut self, count: u32) -> Result<(), HistoryError> {
        at_most("deploys forgotten", count as usize, self.live().unwrap_or(0))?;
        if count == 0 {
            return Ok(());
        }
        self.deploys.drain(..count as usize);
        self.spans.retain(|span| span.last >= count);
        self.spans.iter_mut().for_each(|span| span.forget(count));
        Ok(())
    }

    /// All files of the newest tree live on in deploy `new`, but those that `step` removes.
    fn continue_spans(&mut self, step: &HistoryStep, new: u32) -> Result<(), HistoryError> {
        let mut removed = step.removed.iter().peekable();
        let mut attributes_changed = step.attributes_changed.iter().peekable();
        let newest = self.spans.iter_mut().filter(|span| span.last.checked_add(1) == Some(new));
        for (at, span) in (0..).zip(newest) {
            if removed.next_if_eq(&&at).is_some() {
                continue;
            }
            span.last = new;
            if let Some((_, attributes)) =
                attributes_changed.next_if(|(position, _)| *position == at)
            {
                span.attributes_since.push((new, *attributes));
            }
        }
        // Positions that don't rise, name the same file twice, or name none.
        match removed.next().or(attributes_changed.next().map(|(at, _)| at)) {
            None => Ok(()),
            Some(&at) => Err(DecodeError::Unknown { what: "file", value: u64::from(at) }.into()),
        }
    }
}

impl VersionSpan {
    fn starting(file: HistoryFile, deploy: u32) -> VersionSpan {
        let HistoryFile { path, content, attributes } = file;
        VersionSpan {
            path,
            content,
            first: deploy,
            last: deploy,
            attributes_since: vec![(deploy, attributes)],
        }
    }

    /// Renumbers deploys after the first `count` are forgotten.
    fn forget(&mut self, count: u32) {
        self.first = self.first.saturating_sub(count);
        self.last = self.last.saturating_sub(count);
        let past =
            self.attributes_since.partition_point(|(from, _)| *from <= count).saturating_sub(1);
        self.attributes_since.drain(..past);
        self.attributes_since.iter_mut().for_each(|(from, _)| *from = from.saturating_sub(count));
    }
}

fn at_most(what: &'static str, count: usize, limit: usize) -> Result<(), HistoryError> {
    if count > limit {
        return Err(HistoryError::TooLarge { what, limit: limit as u64 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixtures::{deploy, tree};

    #[test]
    fn no_history_is_longer_than_it_may_be() {
        let one_more = |history: History, number: u32| {
            let name = format!("app-{number}.js");
            let step = history.step(deploy(number, 0), &tree(&[&name]), 0, std::iter::empty());
            history.apply(step).expect("a good step")
        };
        let most = position(limits::DEPLOYS);
        let full = (0..most + 2).fold(History::new(), one_more);
        assert_eq!(full.deploys().len(), limits::DEPLOYS);
        assert_eq!(full.deploys()[0].id.nonce(), 2);
        assert_eq!(full.tree(0), tree(&["app-2.js"]));
    }
}
