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
pub use crate::draft::substitutes::learn;
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

/// Finds the renames from `state` to `source`, in order of the source.
///
/// Both are in tree order. Paths that both have are ignored. `resemblance` returns the similarity
/// of two contents, from 0.0 to 1.0, given the positions of the old and the new file, or `None` if
/// it is unknown; it is called only if the name does not decide.
pub fn find(
    state: &State,
    source: &[SourceEntry],
    rules: &FingerprintRules,
    resemblance: &dyn Fn(EntryIndex, SourceIndex) -> Option<f64>,
) -> Vec<RenamePair> {
    let families = families(state, source, rules);
    let mut matching = RenameMatcher {
        state,
        source,
        resemblance,
        decided_pairs: HashSet::new(),
        renames: Vec::new(),
    };
    for mut family in families.into_values() {
        family.olds.sort_by_key(|old| old.size);
        matching.family(&family);
    }
    let mut renames = matching.renames;
    renames.sort_unstable_by_key(|rename| rename.local);
    renames
}

/// The common parts of the paths of a family: those before and after the fingerprint. Short
/// endings come first: `app-*.js` decides before `app-*.js.map` and `app-*.js.gz`, which have the
/// same fingerprint.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NamePattern<'p> {
    after_bytes: usize,
    after: &'p [u8],
    before: &'p [u8],
}

/// The files of one frame that are only on one side.
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
        let member = NamedFile { index, size, path, before_bytes, after_bytes };
        Some((NamePattern { after_bytes, after, before }, member))
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

fn families<'p>(
    state: &'p State,
    source: &'p [SourceEntry],
    rules: &FingerprintRules,
) -> BTreeMap<NamePattern<'p>, NameGroup<'p>> {
    let mut families: BTreeMap<NamePattern<'p>, NameGroup<'p>> = BTreeMap::new();
    let here: HashSet<&RelPath> = source.iter().map(|local| &local.entry.path).collect();
    let mut both = HashSet::new();
    for (index, remote) in Index::enumerate(&state.entries) {
        if here.contains(&remote.entry.path) {
            both.insert(&remote.entry.path);
        } else if let Some((frame, member)) = NamedFile::new(index, &remote.entry, rules) {
            families.entry(frame).or_default().olds.push(member);
        }
    }
    // A frame that no old path has can't be renamed from.
    for (index, local) in Index::enumerate(source) {
        if !both.contains(&local.entry.path)
            && let Some((frame, member)) = NamedFile::new(index, &local.entry, rules)
            && let Some(family) = families.get_mut(&frame)
        {
            family.news.push(member);
        }
    }
    families
}

struct RenameMatcher<'m, 'p> {
    state: &'p State,
    source: &'p [SourceEntry],
    resemblance: &'m dyn Fn(EntryIndex, SourceIndex) -> Option<f64>,
    /// Pairs of old and new fingerprints that were decided.
    decided_pairs: HashSet<(&'p [u8], &'p [u8])>,
    renames: Vec<RenamePair>,
}

/// A pair with evidence for it.
struct Candidate<'f, 'p> {
    old: &'f NamedFile<'p, EntryList>,
    new: &'f NamedFile<'p, SourceList>,
    /// The same fingerprints are a pair already.
    is_decided: bool,
    /// 0.0 if it is not known.
    resemblance: f64,
}

impl<'p> RenameMatcher<'_, 'p> {
    fn family(&mut self, family: &NameGroup<'p>) {
        if let ([old], [new]) = (&family.olds[..], &family.news[..])
            && !old.is_bare()
        {
            return self.decide(old, new);
        }
        let mut candidates = self.candidates(family);
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

    /// All pairs of a family with evidence for them.
    fn candidates<'f>(&self, family: &'f NameGroup<'p>) -> Vec<Candidate<'f, 'p>> {
        let compared = PAIRS / family.news.len().max(1);
        let compared = compared.clamp(*COMPARED.start(), *COMPARED.end());
        let pairs = family.news.iter().flat_map(|new| {
            let near = nearest(&family.olds, new.size, compared).iter();
            near.filter_map(|old| self.candidate(old, new))
        });
        pairs.collect()
    }

    fn candidate<'f>(
        &self,
        old: &'f NamedFile<'p, EntryList>,
        new: &'f NamedFile<'p, SourceList>,
    ) -> Option<Candidate<'f, 'p>> {
        let is_decided = self.decided_pairs.contains(&(old.fingerprint(), new.fingerprint()));
        let resemblance = self.resemblance(old, new);
        let speaks_for_it = match resemblance {
            _ if is_decided => true,
            Some(resemblance) => resemblance >= ALIKE,
            None => old.size.max(new.size) <= 2 * old.size.min(new.size),
        };
        let resemblance = resemblance.unwrap_or(0.0);
        speaks_for_it.then_some(Candidate { old, new, is_decided, resemblance })
    }

    fn resemblance(
        &self,
        old: &NamedFile<'_, EntryList>,
        new: &NamedFile<'_, SourceList>,
    ) -> Option<f64> {
        let there = self.state.entries[old.index].digest;
        let here = self.source[new.index].digest.map(|digest| digest.short());
        if here.is_some() && here == there {
            return Some(1.0);
        }
        (self.resemblance)(old.index, new.index)
    }
}

/// Of members in order of their sizes, the `count` nearest to `size`.
fn nearest<'f, 'p>(
    members: &'f [NamedFile<'p, EntryList>],
    size: u64,
    count: usize,
) -> &'f [NamedFile<'p, EntryList>] {
    let middle = members.partition_point(|member| member.size < size);
    let mut first = middle.saturating_sub(count);
    let mut last = members.len().min(middle + count);
    while last - first > count {
        let difference = |at: usize| members[at].size.abs_diff(size);
        if difference(first) > difference(last - 1) {
            first += 1;
        } else {
            last -= 1;
        }
    }
    &members[first..last]
}

#[cfg(test)]
mod tests;
