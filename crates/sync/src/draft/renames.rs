//! Finds out which new file succeeds which old one, by names without their fingerprints.
//!
//! A build that changes a file gives it another fingerprint and so another path. The pairs of old and new
//! fingerprints are what contents are rewritten with (see [`assetsync_rewrite`]), so they should be right; a wrong
//! one costs bytes, never correctness.
//!
//! Where a name has one old and one new file, the name decides. Where several share one, as `constants-*.js`
//! does eight times in an n8n release, the likeliest pairs are taken first, until nothing more speaks for any.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};

use assetsync_core::entry::Entry;
use assetsync_core::path::RelPath;
use assetsync_core::state::State;

use crate::compare::content_match::SourceEntry;
pub use crate::draft::substitutes::learn;
use crate::scan::logical_name::{FingerprintRules, LogicalName};

/// How much two files of the same name must at least have in common where that is known.
const ALIKE: f64 = 0.1;

/// Of how many old files of a name, those nearest in size, one new file is compared with: fewer where there are
/// many, but all of them where there are few.
const COMPARED: RangeInclusive<usize> = 8..=64;

/// About how many pairs of one name are compared.
const PAIRS: usize = 1 << 20;

/// A new path that succeeds an old one: they differ in nothing but their fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenamePair {
    /// Position of the old path in the state.
    pub known: u32,
    /// Position of the new path in the source.
    pub local: usize,
    /// Where in the old path the fingerprint is.
    pub old: Range<usize>,
    /// Where in the new path the fingerprint is; it starts where the old one does.
    pub new: Range<usize>,
}

/// Finds the new paths of `source` that succeed old ones of `state`, in order of the source.
///
/// Both are in tree order. A path that both have is no part of it. `resemblance` tells how alike two contents
/// are, from 0.0 to 1.0, given the positions of the old and the new file, or `None` if it does not know; it is
/// asked only where the name does not decide.
pub fn find(
    state: &State,
    source: &[SourceEntry],
    rules: &FingerprintRules,
    resemblance: &dyn Fn(u32, usize) -> Option<f64>,
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

/// What is the same in the paths of a family: what comes before and after the fingerprint. Short endings come
/// first: `app-*.js` decides before `app-*.js.map` and `app-*.js.gz`, which have the same fingerprint.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NamePattern<'p> {
    after_bytes: usize,
    after: &'p [u8],
    before: &'p [u8],
}

/// The files of one frame that are only on one side.
#[derive(Default)]
struct NameGroup<'p> {
    olds: Vec<NamedFile<'p>>,
    news: Vec<NamedFile<'p>>,
}

struct NamedFile<'p> {
    /// Position in the state or the source.
    position: usize,
    size: u64,
    path: &'p [u8],
    before_bytes: usize,
    after_bytes: usize,
}

impl<'p> NamedFile<'p> {
    fn new(
        position: usize,
        entry: &'p Entry,
        rules: &FingerprintRules,
    ) -> Option<(NamePattern<'p>, NamedFile<'p>)> {
        let (path, size) = (entry.path.as_bytes(), entry.file_size()?);
        let Range { start, end } = LogicalName::of(path, rules)?.fingerprint;
        let (before, after) = (&path[..start], &path[end..]);
        let (before_bytes, after_bytes) = (before.len(), after.len());
        let member = NamedFile { position, size, path, before_bytes, after_bytes };
        Some((NamePattern { after_bytes, after, before }, member))
    }

    fn range(&self) -> Range<usize> {
        self.before_bytes..self.path.len() - self.after_bytes
    }

    fn fingerprint(&self) -> &'p [u8] {
        &self.path[self.range()]
    }

    /// Whether the name is nothing but the fingerprint, so that it tells only the kind of the content.
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
    for (position, remote) in state.entries.iter().enumerate() {
        if here.contains(&remote.entry.path) {
            both.insert(&remote.entry.path);
        } else if let Some((frame, member)) = NamedFile::new(position, &remote.entry, rules) {
            families.entry(frame).or_default().olds.push(member);
        }
    }
    // A frame that no old path has is of no use.
    for (position, local) in source.iter().enumerate() {
        if !both.contains(&local.entry.path)
            && let Some((frame, member)) = NamedFile::new(position, &local.entry, rules)
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
    resemblance: &'m dyn Fn(u32, usize) -> Option<f64>,
    /// Pairs of old and new fingerprints that were decided.
    decided_pairs: HashSet<(&'p [u8], &'p [u8])>,
    renames: Vec<RenamePair>,
}

/// A pair for which something speaks.
struct Candidate<'f, 'p> {
    old: &'f NamedFile<'p>,
    new: &'f NamedFile<'p>,
    /// The same fingerprints are a pair already.
    is_decided: bool,
    /// 0.0 where it is not known.
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
        // Whatever is known of the contents decides before their sizes do; positions make it deterministic.
        candidates.sort_by(|a, b| {
            let link_speed = |pair: &Candidate<'_, '_>| pair.old.size.abs_diff(pair.new.size);
            let order =
                |pair: &Candidate<'_, '_>| (link_speed(pair), pair.new.position, pair.old.position);
            let decided = b.is_decided.cmp(&a.is_decided);
            let alike = decided.then(b.resemblance.total_cmp(&a.resemblance));
            alike.then_with(|| order(a).cmp(&order(b)))
        });
        let (mut olds, mut news) = (HashSet::new(), HashSet::new());
        for Candidate { old, new, .. } in candidates {
            if !olds.contains(&old.position) && news.insert(new.position) {
                olds.insert(old.position);
                self.decide(old, new);
            }
        }
    }

    fn decide(&mut self, old: &NamedFile<'p>, new: &NamedFile<'p>) {
        self.decided_pairs.insert((old.fingerprint(), new.fingerprint()));
        let (known, local) = (old.position as u32, new.position);
        self.renames.push(RenamePair { known, local, old: old.range(), new: new.range() });
    }

    /// All pairs of a family for which something speaks.
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
        old: &'f NamedFile<'p>,
        new: &'f NamedFile<'p>,
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

    fn resemblance(&self, old: &NamedFile<'_>, new: &NamedFile<'_>) -> Option<f64> {
        let there = self.state.entries[old.position].digest;
        let here = self.source[new.position].digest.map(|digest| digest.short());
        if here.is_some() && here == there {
            return Some(1.0);
        }
        (self.resemblance)(old.position as u32, new.position)
    }
}

/// Of members in order of their sizes, the `count` nearest to `size`.
fn nearest<'f, 'p>(members: &'f [NamedFile<'p>], size: u64, count: usize) -> &'f [NamedFile<'p>] {
    let middle = members.partition_point(|member| member.size < size);
    let mut first = middle.saturating_sub(count);
    let mut last = members.len().min(middle + count);
    while last - first > count {
        let link_speed = |at: usize| members[at].size.abs_diff(size);
        if link_speed(first) > link_speed(last - 1) {
            first += 1;
        } else {
            last -= 1;
        }
    }
    &members[first..last]
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::Digest;
    use assetsync_core::entry::{Kind, Mtime};
    use assetsync_core::state::RemoteEntry;
    use proptest::prelude::*;

    use super::*;

    /// A file with content of its own, so that only its name and size speak.
    fn file((path, size): &(String, u64)) -> SourceEntry {
        let (kind, mode, mtime) = (Kind::File { size: *size }, 0o644, Mtime::default());
        let entry = Entry { path: RelPath::new(path.as_bytes()).unwrap(), kind, mode, mtime };
        let digest = Some(Digest::of(path.as_bytes()));
        SourceEntry { entry, digest }
    }

    fn tree(files: &[(String, u64)]) -> Vec<SourceEntry> {
        let mut tree: Vec<_> = files.iter().map(file).collect();
        tree.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        tree
    }

    fn state(tree: &[SourceEntry]) -> State {
        let remote = |local: &SourceEntry| RemoteEntry {
            entry: local.entry.clone(),
            digest: local.digest.map(|digest| digest.short()),
        };
        State { entries: tree.iter().map(remote).collect(), partials: Vec::new() }
    }

    /// What succeeds what, as `old > new`.
    fn words(
        old: &[(&str, u64)],
        new: &[(&str, u64)],
        resemblance: &dyn Fn(&str, &str) -> Option<f64>,
    ) -> Vec<String> {
        let owned = |files: &[(&str, u64)]| {
            tree(&files.iter().map(|(path, size)| (path.to_string(), *size)).collect::<Vec<_>>())
        };
        let (old, new) = (state(&owned(old)), owned(new));
        let there = |known: u32| old.entries[known as usize].entry.path.to_string();
        let here = |local: usize| new[local].entry.path.to_string();
        let known = |known, local| resemblance(&there(known), &here(local));
        let renames = find(&old, &new, &FingerprintRules::default(), &known);
        for rename in &renames {
            let mut path = there(rename.known);
            path.replace_range(rename.old.clone(), &here(rename.local)[rename.new.clone()]);
            assert_eq!(path, here(rename.local));
        }
        renames.iter().map(|r| format!("{} > {}", there(r.known), here(r.local))).collect()
    }

    #[test]
    fn one_name_on_each_side_decides() {
        let old = [
            ("a/app-1a2b3c4d.js", 10),
            ("b/app-1a2b3c4d.js", 10),
            ("gone-1a2b3c4d.js", 10),
            ("kept-1a2b3c4d.js", 10),
            ("long-0123456789abcdef0123456789abcdef.css", 10),
            ("plain.js", 10),
            ("x.5e6f7a8b.js", 10),
        ];
        let new = [
            ("a/app-9f8e7d6c.js", 5000),
            ("come-9f8e7d6c.js", 10),
            ("kept-1a2b3c4d.js", 10),
            ("kept-9f8e7d6c.js", 10),
            ("long-fedcba9876543210fedcba9876543210.css", 10),
            ("plain2.js", 10),
            ("x-9f8e7d6c.js", 10),
        ];
        let expected = [
            "a/app-1a2b3c4d.js > a/app-9f8e7d6c.js",
            "long-0123456789abcdef0123456789abcdef.css > long-fedcba9876543210fedcba9876543210.css",
        ];
        assert_eq!(words(&old, &new, &|_, _| None), expected);
    }

    #[test]
    fn among_several_what_is_most_alike_decides() {
        let old = [("c-1aaaaaa1.js", 100), ("c-2aaaaaa2.js", 100), ("c-3aaaaaa3.js", 100)];
        let new = [("c-4bbbbbb4.js", 100), ("c-5bbbbbb5.js", 900), ("c-6bbbbbb6.js", 100)];
        let alike = |old: &str, new: &str| match (&old[2..3], &new[2..3]) {
            ("1", "5") => Some(0.9),
            ("1", "4") => Some(0.8),
            ("2", "4") => Some(0.2),
            _ => Some(0.05),
        };
        let expected = ["c-2aaaaaa2.js > c-4bbbbbb4.js", "c-1aaaaaa1.js > c-5bbbbbb5.js"];
        assert_eq!(words(&old, &new, &alike), expected);
    }

    #[test]
    fn where_contents_are_unknown_sizes_decide() {
        let old = [("c-1aaaaaa1.js", 100), ("c-2aaaaaa2.js", 201), ("c-3aaaaaa3.js", 4000)];
        let new = [("c-4bbbbbb4.js", 200), ("c-5bbbbbb5.js", 201), ("c-6bbbbbb6.js", 1999)];
        let expected = ["c-1aaaaaa1.js > c-4bbbbbb4.js", "c-2aaaaaa2.js > c-5bbbbbb5.js"];
        assert_eq!(words(&old, &new, &|_, _| None), expected);
    }

    #[test]
    fn the_same_content_needs_no_sketch() {
        let old = tree(&[("c-1aaaaaa1.js".into(), 9), ("c-2aaaaaa2.js".into(), 9)]);
        let mut new = tree(&[("c-3bbbbbb3.js".into(), 9), ("c-4bbbbbb4.js".into(), 9)]);
        (new[0].digest, new[1].digest) = (old[1].digest, old[0].digest);
        let found = find(&state(&old), &new, &FingerprintRules::default(), &|_, _| None);
        let pairs: Vec<_> = found.iter().map(|rename| (rename.known, rename.local)).collect();
        assert_eq!(pairs, [(1, 0), (0, 1)]);
    }

    #[test]
    fn siblings_follow_their_file() {
        let old = ["c-1aaaaaa1.js", "c-1aaaaaa1.js.gz", "c-2aaaaaa2.js", "c-2aaaaaa2.js.gz"];
        let new = ["c-3bbbbbb3.js", "c-3bbbbbb3.js.gz", "c-4bbbbbb4.js", "c-4bbbbbb4.js.gz"];
        let alike = |old: &str, new: &str| {
            let crossed =
                (&old[2..3], &new[2..3]) == ("1", "4") || (&old[2..3], &new[2..3]) == ("2", "3");
            (!old.ends_with(".gz")).then_some(if crossed { 0.9 } else { 0.3 })
        };
        let expected = [
            "c-2aaaaaa2.js > c-3bbbbbb3.js",
            "c-2aaaaaa2.js.gz > c-3bbbbbb3.js.gz",
            "c-1aaaaaa1.js > c-4bbbbbb4.js",
            "c-1aaaaaa1.js.gz > c-4bbbbbb4.js.gz",
        ];
        let sized = |paths: [&'static str; 4], size| paths.map(|path| (path, size));
        assert_eq!(words(&sized(old, 50), &sized(new, 150), &alike), expected);
    }

    #[test]
    fn a_bare_fingerprint_names_nothing() {
        let old = [("i/0123456789abcdef0123.png", 100), ("j/0123456789abcdef0123.png", 100)];
        let new = [("i/fedcba98765432100123.png", 900), ("j/fedcba98765432100123.png", 110)];
        let expected = ["j/0123456789abcdef0123.png > j/fedcba98765432100123.png"];
        assert_eq!(words(&old, &new, &|_, _| None), expected);
    }

    #[test]
    fn thousands_of_one_name_are_compared_with_those_nearest_in_size() {
        let files = |digit: char| -> Vec<(String, u64)> {
            (0..5000)
                .map(|i| (format!("{i:019}{digit}.png").replacen("00", "ab", 1), 1000 + i))
                .collect()
        };
        let (old, new) = (state(&tree(&files('1'))), tree(&files('2')));
        let asked = std::cell::Cell::new(0);
        let found = find(&old, &new, &FingerprintRules::default(), &|_, _| {
            asked.set(asked.get() + 1);
            None
        });
        assert_eq!(found.len(), 5000);
        assert!(found.iter().all(|rename| rename.known as usize == rename.local));
        assert_eq!(asked.get(), 5000 * COMPARED.end());
    }

    proptest! {
        #[test]
        fn renames_are_one_to_one_and_differ_in_nothing_but_fingerprints(
            old in prop::collection::btree_map("[ab]-[0-2]a[0-2]bcde[0-2]\\.(js|css)", 0..5000_u64, 0..30),
            new in prop::collection::btree_map("[ab]-[0-2]a[0-2]bcde[0-2]\\.(js|css)", 0..5000_u64, 0..30),
            seed in any::<u32>(),
        ) {
            let files = |map: BTreeMap<String, u64>| tree(&map.into_iter().collect::<Vec<_>>());
            let (old, new) = (state(&files(old)), files(new));
            let random = |known: u32, local: usize| {
                let mixed = (known ^ seed).wrapping_mul(31).wrapping_add(local as u32).wrapping_mul(0x9e37_79b1);
                (mixed >> 30 != 0).then_some(f64::from(mixed >> 24 & 15) / 15.0)
            };
            let found = find(&old, &new, &FingerprintRules::default(), &random);
            prop_assert_eq!(&found, &find(&old, &new, &FingerprintRules::default(), &random));
            let olds: HashSet<_> = found.iter().map(|rename| rename.known).collect();
            prop_assert_eq!(olds.len(), found.len());
            prop_assert!(found.windows(2).all(|two| two[0].local < two[1].local));
            for rename in found {
                let there = old.entries[rename.known as usize].entry.path.as_bytes();
                let here = new[rename.local].entry.path.as_bytes();
                let (before, after) = (&there[..rename.old.start], &there[rename.old.end..]);
                prop_assert_eq!([before, &here[rename.new.clone()], after].concat(), here);
                prop_assert!(new.iter().all(|local| local.entry.path.as_bytes() != there));
                prop_assert!(old.entries.iter().all(|remote| remote.entry.path.as_bytes() != here));
            }
        }
    }
}
