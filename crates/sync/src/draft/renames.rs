//! Finds renames: new files that are old ones with another fingerprint in the name.
//!
//! A build that changes a file gives it another fingerprint and so another path. The pairs of old
//! and new fingerprints are what contents are rewritten with (see [`assetsync_rewrite`]), so they
//! should be right; a wrong one costs bytes, never correctness.
//!
//! If a name has one old and one new file, the name decides. If several files share one, as
//! `constants-*.js` does eight times in an n8n release, the likeliest pairs are taken first, until
//! there is no evidence for any other.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};

use assetsync_core::entry::Entry;
use assetsync_core::index::{EntryIndex, EntryList, Index};
use assetsync_core::path::RelPath;
use assetsync_core::state::State;

use crate::compare::content_match::SourceEntry;
use crate::compare::source_index::{SourceIndex, SourceList};
use crate::scan::logical_name::{FingerprintRules, LogicalName};

/// The least similarity of two files of the same name, if it is known.
const ALIKE: f64 = 0.1;

/// Of how many old files of a name, those nearest in size, one new file is compared with: fewer
/// where there are many, but all of them where there are few.
const COMPARED: RangeInclusive<usize> = 8..=64;

/// About how many pairs of one name are compared.
const PAIRS: usize = 1 << 20;

/// A rename: two paths that differ only in their fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamePair {
    /// Position of the old path in the state.
    pub known: EntryIndex,
    /// Position of the new path in the source.
    pub local: SourceIndex,
    /// Where in the old path the fingerprint is.
    pub old: Range<usize>,
    /// Where in the new path the fingerprint is; it starts where the old one does.
    pub new: Range<usize>,
}

/// The files that only one side has, grouped by the name that is left without the fingerprint.
pub struct NameGroups<'p> {
    state: &'p State,
    source: &'p [SourceEntry],
    /// In order of their patterns; old files in order of their sizes.
    groups: Vec<NameGroup<'p>>,
}

impl<'p> NameGroups<'p> {
    /// The groups that have an old file. Both sides are in tree order; paths that both have are
    /// ignored.
    pub fn of(
        state: &'p State,
        source: &'p [SourceEntry],
        rules: &FingerprintRules,
    ) -> NameGroups<'p> {
        let mut groups: Vec<_> = groups(state, source, rules).into_values().collect();
        groups.iter_mut().for_each(|group| group.olds.sort_by_key(|old| old.size));
        NameGroups { state, source, groups }
    }

    /// The positions of old and new files whose contents [`renames`](NameGroups::renames) compares:
    /// their names do not decide, and their digests are not the same.
    pub fn compared(&self) -> impl Iterator<Item = (EntryIndex, SourceIndex)> {
        let undecided = self.groups.iter().filter(|group| group.only_pair().is_none());
        let pairs = undecided.flat_map(NameGroup::near_pairs);
        let pairs = pairs.map(|(old, new)| (old.index, new.index));
        pairs.filter(|&(known, at)| !self.are_equal(known, at))
    }

    /// Finds the renames, in order of the source.
    ///
    /// `resemblance` returns the similarity of two contents, from 0.0 to 1.0, given the positions
    /// of the old and the new file, or `None` if it is unknown; it is called only for those that
    /// are [compared](NameGroups::compared).
    pub fn renames(
        &self,
        resemblance: &dyn Fn(EntryIndex, SourceIndex) -> Option<f64>,
    ) -> Vec<RenamePair> {
        let (decided_pairs, renames) = (HashSet::new(), Vec::new());
        let mut matcher = RenameMatcher { names: self, resemblance, decided_pairs, renames };
        self.groups.iter().for_each(|group| matcher.group(group));
        let mut renames = matcher.renames;
        renames.sort_unstable_by_key(|rename| rename.local);
        renames
    }

    /// Whether both are known to have the same content.
    fn are_equal(&self, known: EntryIndex, at: SourceIndex) -> bool {
        let here = self.source[at].digest.map(|digest| digest.short());
        here.is_some() && here == self.state.entries[known].digest
    }
}

/// The common parts of the paths of a group: those before and after the fingerprint. Short
/// endings come first: `app-*.js` decides before `app-*.js.map` and `app-*.js.gz`, which have the
/// same fingerprint.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NamePattern<'p> {
    after_bytes: usize,
    after: &'p [u8],
    before: &'p [u8],
}

/// The files of one pattern that are only on one side.
#[derive(Default)]
struct NameGroup<'p> {
    olds: Vec<NamedFile<'p, EntryList>>,
    news: Vec<NamedFile<'p, SourceList>>,
}

/// A file of the state or of the source.
struct NamedFile<'p, L> {
    index: Index<L>,
    size: u64,
    path: &'p [u8],
    before_bytes: usize,
    after_bytes: usize,
}

impl<'p, L> NamedFile<'p, L> {
    fn new(
        index: Index<L>,
        entry: &'p Entry,
        rules: &FingerprintRules,
    ) -> Option<(NamePattern<'p>, NamedFile<'p, L>)> {
        let (path, size) = (entry.path.as_bytes(), entry.file_size()?);
        let Range { start, end } = LogicalName::of(path, rules)?.fingerprint;
        let (before, after) = (&path[..start], &path[end..]);
        let (before_bytes, after_bytes) = (before.len(), after.len());
        let file = NamedFile { index, size, path, before_bytes, after_bytes };
        Some((NamePattern { after_bytes, after, before }, file))
    }

    fn range(&self) -> Range<usize> {
        self.before_bytes..self.path.len() - self.after_bytes
    }

    fn fingerprint(&self) -> &'p [u8] {
        &self.path[self.range()]
    }

    /// Whether the name is nothing but the fingerprint, so that it tells only the kind of the
    /// content.
    fn is_bare(&self) -> bool {
        matches!(self.path[..self.before_bytes], [] | [.., b'/'])
    }
}

impl<'p> NameGroup<'p> {
    /// The pair whose name decides: there is no other one, and the name is not just a fingerprint.
    fn only_pair(&self) -> Option<(&NamedFile<'p, EntryList>, &NamedFile<'p, SourceList>)> {
        match (&self.olds[..], &self.news[..]) {
            ([old], [new]) if !old.is_bare() => Some((old, new)),
            _ => None,
        }
    }

    /// Each new file with the old ones that are nearest in size.
    fn near_pairs(
        &self,
    ) -> impl Iterator<Item = (&NamedFile<'p, EntryList>, &NamedFile<'p, SourceList>)> {
        let compared = PAIRS / self.news.len().max(1);
        let compared = compared.clamp(*COMPARED.start(), *COMPARED.end());
        self.news.iter().flat_map(move |new| {
            nearest(&self.olds, new.size, compared).iter().map(move |old| (old, new))
        })
    }
}

fn groups<'p>(
    state: &'p State,
    source: &'p [SourceEntry],
    rules: &FingerprintRules,
) -> BTreeMap<NamePattern<'p>, NameGroup<'p>> {
    let mut groups: BTreeMap<NamePattern<'p>, NameGroup<'p>> = BTreeMap::new();
    let here: HashSet<&RelPath> = source.iter().map(|local| &local.entry.path).collect();
    let mut both = HashSet::new();
    for (index, remote) in Index::enumerate(&state.entries) {
        if here.contains(&remote.entry.path) {
            both.insert(&remote.entry.path);
        } else if let Some((pattern, file)) = NamedFile::new(index, &remote.entry, rules) {
            groups.entry(pattern).or_default().olds.push(file);
        }
    }
    // A pattern that no old path has can't be renamed from.
    for (index, local) in Index::enumerate(source) {
        if !both.contains(&local.entry.path)
            && let Some((pattern, file)) = NamedFile::new(index, &local.entry, rules)
            && let Some(group) = groups.get_mut(&pattern)
        {
            group.news.push(file);
        }
    }
    groups
}

struct RenameMatcher<'m, 'p> {
    names: &'m NameGroups<'p>,
    resemblance: &'m dyn Fn(EntryIndex, SourceIndex) -> Option<f64>,
    /// Pairs of old and new fingerprints that were decided.
    decided_pairs: HashSet<(&'p [u8], &'p [u8])>,
    renames: Vec<RenamePair>,
}

/// A pair with evidence for it.
struct Candidate<'g, 'p> {
    old: &'g NamedFile<'p, EntryList>,
    new: &'g NamedFile<'p, SourceList>,
    /// The same fingerprints are a pair already.
    is_decided: bool,
    /// 0.0 if it is not known.
    resemblance: f64,
}

impl<'p> RenameMatcher<'_, 'p> {
    fn group(&mut self, group: &NameGroup<'p>) {
        if let Some((old, new)) = group.only_pair() {
            return self.decide(old, new);
        }
        let pairs = group.near_pairs();
        let mut candidates: Vec<_> =
            pairs.filter_map(|(old, new)| self.candidate(old, new)).collect();
        // Whatever is known of the contents decides before their sizes do; positions make it
        // deterministic.
        candidates.sort_by(|a, b| {
            let difference = |pair: &Candidate<'_, '_>| pair.old.size.abs_diff(pair.new.size);
            let order =
                |pair: &Candidate<'_, '_>| (difference(pair), pair.new.index, pair.old.index);
            let decided = b.is_decided.cmp(&a.is_decided);
            let alike = decided.then(b.resemblance.total_cmp(&a.resemblance));
            alike.then_with(|| order(a).cmp(&order(b)))
        });
        let (mut olds, mut news) = (HashSet::new(), HashSet::new());
        for Candidate { old, new, .. } in candidates {
            if !olds.contains(&old.index) && news.insert(new.index) {
                olds.insert(old.index);
                self.decide(old, new);
            }
        }
    }

    fn decide(&mut self, old: &NamedFile<'p, EntryList>, new: &NamedFile<'p, SourceList>) {
        self.decided_pairs.insert((old.fingerprint(), new.fingerprint()));
        let (known, local) = (old.index, new.index);
        self.renames.push(RenamePair { known, local, old: old.range(), new: new.range() });
    }

    /// A pair, if anything speaks for it.
    fn candidate<'g>(
        &self,
        old: &'g NamedFile<'p, EntryList>,
        new: &'g NamedFile<'p, SourceList>,
    ) -> Option<Candidate<'g, 'p>> {
        let is_decided = self.decided_pairs.contains(&(old.fingerprint(), new.fingerprint()));
        let resemblance = match self.names.are_equal(old.index, new.index) {
            true => Some(1.0),
            false => (self.resemblance)(old.index, new.index),
        };
        let speaks_for_it = match resemblance {
            _ if is_decided => true,
            Some(resemblance) => resemblance >= ALIKE,
            None => old.size.max(new.size) <= 2 * old.size.min(new.size),
        };
        let resemblance = resemblance.unwrap_or(0.0);
        speaks_for_it.then_some(Candidate { old, new, is_decided, resemblance })
    }
}

/// Of files in order of their sizes, the `count` nearest to `size`.
fn nearest<'g, 'p>(
    files: &'g [NamedFile<'p, EntryList>],
    size: u64,
    count: usize,
) -> &'g [NamedFile<'p, EntryList>] {
    let middle = files.partition_point(|file| file.size < size);
    let mut first = middle.saturating_sub(count);
    let mut last = files.len().min(middle + count);
    while last - first > count {
        let difference = |at: usize| files[at].size.abs_diff(size);
        if difference(first) > difference(last - 1) {
            first += 1;
        } else {
            last -= 1;
        }
    }
    &files[first..last]
}

#[cfg(test)]
mod tests;
