//! A random pair of trees: what the destination holds, and what is pushed.

use fastrand::Rng;

use super::bundle::Bundle;
use super::edits::{EDITS, add_dir, add_file, add_link, copy, hide};
use super::value::{Entry, Tree};

/// How many paths a tree has at most, so that a thousand pairs are tried in seconds.
const LARGEST: usize = 60;

/// The tree at the destination, and the tree to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreePair {
    /// The tree before a push.
    pub old: Tree,
    /// The tree after it.
    pub new: Tree,
}

impl TreePair {
    /// A pair with everything in it that can happen between two pushes, content changed behind the
    /// same size and time included: only who compares content gets all of these right. The same
    /// seed gives the same pair.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut pair = Self::edited(&mut rng);
        for _ in 0..rng.usize(..3) {
            hide(&mut rng, &mut pair.new);
        }
        pair
    }

    /// A pair in which size and time to the second give every change of content away, so that the
    /// quick check is right, too.
    #[must_use]
    pub fn honest(seed: u64) -> Self {
        let mut pair = Self::edited(&mut Rng::with_seed(seed));
        pair.reveal();
        pair
    }

    fn edited(rng: &mut Rng) -> Self {
        let mut old = random_tree(rng);
        let mut bundle = rng.bool().then(|| Bundle::random(rng));
        if let Some(bundle) = &bundle {
            bundle.compile(&mut old);
        }
        let mut new = match &mut bundle {
            Some(bundle) => recompiled(rng, &old, bundle),
            None => old.clone(),
        };
        for _ in 0..rng.usize(..12) {
            if new.len() < LARGEST {
                EDITS[rng.usize(..EDITS.len())](rng, &mut new);
            }
        }
        Self { old, new }
    }

    /// Gives each file that changed behind the same size and second another time.
    fn reveal(&mut self) {
        let paths: Vec<Vec<u8>> = self.new.iter().map(|(path, _)| path.to_vec()).collect();
        for path in paths {
            let (before, after) = (self.old.get(&path), self.new.get_mut(&path));
            let Some(Entry::File { bytes: old, mtime: then, .. }) = before else { continue };
            let Some(Entry::File { bytes: new, mtime: now, .. }) = after else { continue };
            if old != new && old.len() == new.len() && then.0 == now.0 {
                now.0 += 1;
            }
        }
    }
}

/// A tree with some of everything.
fn random_tree(rng: &mut Rng) -> Tree {
    let mut tree = Tree::default();
    for _ in 0..rng.usize(5..30) {
        match rng.u8(..10) {
            0..=1 => add_dir(rng, &mut tree),
            2 => add_link(rng, &mut tree),
            3 => copy(rng, &mut tree),
            _ => add_file(rng, &mut tree),
        }
    }
    tree
}

/// `old` after an edit and another compile; what the last compile left is gone, or half the time
/// still there, as with tools that do not clean up.
fn recompiled(rng: &mut Rng, old: &Tree, bundle: &mut Bundle) -> Tree {
    let mut new = old.clone();
    if rng.bool() {
        let mut last = Tree::default();
        bundle.compile(&mut last);
        let files = last.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. }));
        files.for_each(|(path, _)| new.remove(path));
    }
    bundle.edit(rng);
    bundle.compile(&mut new);
    new
}

#[cfg(test)]
mod tests {
    use super::super::{DiffOptions, Kind, diff_trees, snapshot};
    use super::*;

    const SEEDS: std::ops::Range<u64> = 0..300;

    fn file<'a>(tree: &'a Tree, path: &[u8]) -> Option<(&'a [u8], (i64, u32))> {
        match tree.get(path) {
            Some(Entry::File { bytes, mtime, .. }) => Some((bytes, *mtime)),
            _ => None,
        }
    }

    /// Whether a file changed that size and second do not give away.
    fn hides(pair: &TreePair) -> bool {
        pair.new.iter().any(|(path, _)| {
            let files = (file(&pair.old, path), file(&pair.new, path));
            let (Some((old, then)), Some((new, now))) = files else { return false };
            old != new && old.len() == new.len() && then.0 == now.0
        })
    }

    #[test]
    fn a_seed_is_a_pair() {
        assert_eq!(TreePair::random(7), TreePair::random(7));
        assert_ne!(TreePair::random(7), TreePair::random(8));
    }

    #[test]
    fn pairs_are_of_modest_size_and_safe_modes() {
        for pair in SEEDS.map(TreePair::random) {
            assert!(pair.old.len() >= 4 && pair.new.len() <= LARGEST + 10, "{}", pair.new.len());
            for (_, entry) in pair.old.iter().chain(pair.new.iter()) {
                let (Entry::File { mode, .. } | Entry::Dir { mode }) = entry else { continue };
                assert_eq!(mode & 0o7002, 0);
            }
        }
    }

    #[test]
    fn only_honest_pairs_give_every_change_away() {
        assert!(SEEDS.map(TreePair::random).filter(hides).count() > 50);
        assert!(!SEEDS.map(TreePair::honest).any(|pair| hides(&pair)));
    }

    /// The kind of an entry.
    fn kinds(entry: &Entry) -> Kind {
        match entry {
            Entry::Dir { .. } => Kind::Dir,
            Entry::File { .. } => Kind::File,
            Entry::Symlink { .. } => Kind::Symlink,
        }
    }

    #[test]
    fn every_change_of_kind_occurs() {
        let pairs: Vec<_> = SEEDS.map(TreePair::random).collect();
        let all = [Kind::File, Kind::Dir, Kind::Symlink];
        for (from, to) in all.into_iter().flat_map(|from| all.map(|to| (from, to))) {
            let occurs = pairs.iter().any(|pair| {
                pair.new.iter().any(|(path, entry)| {
                    kinds(entry) == to && pair.old.get(path).map(kinds) == Some(from)
                })
            });
            assert!(occurs, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for seed in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let (one, two) = (dir.path().join("one"), dir.path().join("two"));
            let tree = TreePair::random(seed).new;
            tree.write_to(&one).unwrap();
            tree.write_to(&two).unwrap();
            let found = snapshot(&one).unwrap();
            assert_eq!(found.len(), tree.len());
            let again = snapshot(&two).unwrap();
            assert_eq!(diff_trees(&found, &again, &DiffOptions::default()), Vec::<String>::new());
        }
    }
}
