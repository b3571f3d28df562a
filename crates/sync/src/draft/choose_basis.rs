//! Chooses the basis a changed file is compared with: the same path, the old path of a rename, the
//! most similar content, else the same logical name. What has a logical name and no rename shares
//! that name with others, so content says more.

use std::collections::{HashMap, HashSet};

use assetsync_core::index::EntryIndex;
use rayon::prelude::*;

use super::compared_contents::ComparedContents;
use super::contents::is_comparable;
use super::drafts::Drafts;
use super::sketch::{Sketch, Sketches, similarity};

use crate::compare::source_index::SourceIndex;

/// Contents less similar than this are no basis for each other.
const ALIKE: f64 = 0.1;

/// Most files whose content is sketched to find a basis.
const SKETCHED: usize = 20_000;

/// What changed files are compared with.
pub struct Bases {
    /// Files in order of the source, and the positions of their bases in the state.
    pub chosen: Vec<(SourceIndex, EntryIndex)>,
    /// Files that are like none of the old contents, all of which were looked at.
    pub unlike: HashSet<SourceIndex>,
}

/// Chooses the bases of changed files.
pub fn choose(
    contents: ComparedContents<'_, '_>,
    changed: &[SourceIndex],
    drafts: &Drafts,
) -> Bases {
    let comparison = contents.comparison;
    let renamed: HashMap<&[u8], EntryIndex> =
        drafts.renames.iter().map(|(path, rename)| (path.as_bytes(), rename.known)).collect();
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for &at in changed {
        let entry = &comparison.source()[at].entry;
        if !entry.file_size().is_some_and(|size| is_comparable(&entry.path, size)) {
            continue;
        }
        let by_name =
            comparison.existing_index(at).or_else(|| renamed.get(entry.path.as_bytes()).copied());
        match by_name.filter(|&known| contents.has_old_content(known)) {
            Some(known) => chosen.push((at, known)),
            None => left.push(at),
        }
    }
    let similar = most_similar(contents, &left);
    let basis = |at: SourceIndex| {
        let known = similar.get(&at).copied().or_else(|| comparison.same_logical_name(at))?;
        contents.has_old_content(known).then_some((at, known))
    };
    let mut unlike = HashSet::new();
    for at in left {
        match basis(at) {
            Some(found) => chosen.push(found),
            None => drop(unlike.insert(at)),
        }
    }
    chosen.sort_unstable();
    if !unlike.is_empty() && !has_all_old_contents(contents) {
        unlike.clear();
    }
    Bases { chosen, unlike }
}

/// Whether all extraneous files that could be a basis were looked at.
fn has_all_old_contents(contents: ComparedContents<'_, '_>) -> bool {
    let extraneous = contents.comparison.extraneous();
    let mut comparable = extraneous.filter(|&known| contents.is_old_comparable(known));
    comparable.by_ref().take(SKETCHED).all(|known| contents.has_old_content(known))
        && comparable.next().is_none()
}

/// Finds bases by content, among the extraneous files.
fn most_similar(
    contents: ComparedContents<'_, '_>,
    left: &[SourceIndex],
) -> HashMap<SourceIndex, EntryIndex> {
    if left.is_empty() {
        return HashMap::new();
    }
    let candidates: Vec<EntryIndex> = contents
        .comparison
        .extraneous()
        .filter(|&known| contents.has_old_content(known))
        .take(SKETCHED)
        .collect();
    if candidates.is_empty() {
        return HashMap::new();
    }
    let sketched = candidates
        .par_iter()
        .filter_map(|&known| Some((known, Sketch::of(&contents.old_content(known)?))));
    let mut sketches = Sketches::default();
    for (known, sketch) in sketched.collect::<Vec<_>>() {
        sketches.insert(known, sketch);
    }
    let found = left.par_iter().filter_map(|&at| {
        let sketch = Sketch::of(&contents.new_content(at)?);
        let (known, _) = sketches.most_similar(&sketch, ALIKE)?;
        Some((at, known))
    });
    found.collect()
}

/// The sketches of old and new contents that are compared with each other.
pub struct PairSketches {
    olds: HashMap<EntryIndex, Sketch>,
    news: HashMap<SourceIndex, Sketch>,
}

impl PairSketches {
    /// Makes the sketches of these pairs' contents, on all cores, as far as both are available.
    /// Once they are no longer `wanted`, no more are made.
    pub fn of(
        contents: ComparedContents<'_, '_>,
        pairs: impl Iterator<Item = (EntryIndex, SourceIndex)>,
        wanted: &(dyn Fn() -> bool + Sync),
    ) -> PairSketches {
        let available = pairs.filter(|&(known, _)| contents.has_old_content(known));
        let (olds, news): (HashSet<_>, HashSet<_>) = available.unzip();
        let old = |known| wanted().then(|| contents.old_content(known)).flatten();
        let new = |at| wanted().then(|| contents.new_content(at)).flatten();
        let olds = olds.into_par_iter().filter_map(|it| Some((it, Sketch::of(&old(it)?))));
        let news = news.into_par_iter().filter_map(|it| Some((it, Sketch::of(&new(it)?))));
        PairSketches { olds: olds.collect(), news: news.collect() }
    }

    /// The similarity, from 0 to 1, if there is a sketch of both.
    pub fn similarity(&self, known: EntryIndex, at: SourceIndex) -> Option<f64> {
        Some(similarity(self.olds.get(&known)?, self.news.get(&at)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use assetsync_core::digest::{Digest, ShortDigest};
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::index::Index;
    use assetsync_core::path::RelPath;
    use assetsync_core::recipe::Recipes;
    use assetsync_core::state::{RemoteEntry, State};

    use super::*;
    use crate::compare::comparison::Comparison;
    use crate::compare::policy::Policy;
    use crate::draft::old_contents::OldContents;
    use crate::scan::source::Source;

    struct Olds(Vec<Vec<u8>>);

    impl OldContents for Olds {
        fn has(&self, digest: ShortDigest, size: u64) -> bool {
            self.get(digest, size).is_some()
        }

        fn get(&self, digest: ShortDigest, _: u64) -> Option<Vec<u8>> {
            self.0.iter().find(|content| Digest::of(content).short() == digest).cloned()
        }
    }

    fn text(word: &str) -> Vec<u8> {
        (0..400).flat_map(|line| format!("{word}{line}({})\n", line * 7919).into_bytes()).collect()
    }

    fn remote(path: &str, content: &[u8]) -> RemoteEntry {
        let kind = Kind::File { size: content.len() as u64 };
        let path = RelPath::new(path.as_bytes()).unwrap();
        let entry = Entry { path, kind, mode: 0o644, mtime: Mtime::default() };
        RemoteEntry { entry, digest: Some(Digest::of(content).short()) }
    }

    /// Files that are named by nothing but a fingerprint have one logical name, and some of them,
    /// whose fingerprint looks like a word, none.
    #[test]
    fn of_files_that_share_a_name_the_most_similar_is_the_basis() {
        let dir = tempfile::tempdir().unwrap();
        let edited = [&text("open")[..], b"edited"].concat();
        fs::write(dir.path().join("CRoV5ozN.js"), &edited).unwrap();
        let olds = [("BjoIHR_n.js", text("open")), ("vyqog8Vt.js", text("shut"))];
        let entries = olds.iter().map(|(path, content)| remote(path, content)).collect();
        let state = State { entries, partials: Vec::new() };
        let policy = Policy::default();
        let source = Source::scan(dir.path(), &policy).unwrap();
        let listed = source.hashed().unwrap();
        let comparison = Comparison::new(listed, &state, &policy, Recipes::ALL);
        let old = Olds(olds.map(|(_, content)| content).into());
        let contents = ComparedContents { comparison: &comparison, source: &source, old: &old };
        let Bases { chosen, unlike } = choose(contents, &comparison.changed(), &Drafts::default());
        assert!(unlike.is_empty());
        assert_eq!(chosen.iter().map(|&(_, known)| known).collect::<Vec<_>>(), [Index::new(0)]);
        assert_eq!(comparison.same_logical_name(chosen[0].0), Some(Index::new(1)));
    }

    /// Otherwise an old file of about the same size would be asked for its signature, which takes a
    /// round trip.
    #[test]
    fn no_basis_is_asked_for_where_no_old_content_is_alike() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b.js"), text("new")).unwrap();
        let gone = [remote("a.js", &text("one")), remote("c.js", &text("two"))];
        let state = State { entries: gone.into(), partials: Vec::new() };
        let policy = Policy::default();
        let source = Source::scan(dir.path(), &policy).unwrap();
        let listed = source.hashed().unwrap();
        let queries = |old: &Olds| {
            let comparison = Comparison::new(listed, &state, &policy, Recipes::ALL);
            let contents = ComparedContents { comparison: &comparison, source: &source, old };
            let Bases { chosen, unlike } =
                choose(contents, &comparison.changed(), &Drafts::default());
            assert!(chosen.is_empty());
            comparison.with(Arc::new(Drafts { unlike, ..Drafts::default() })).queries().len()
        };
        assert_eq!(queries(&Olds(vec![text("one"), text("two")])), 0);
        assert_eq!(queries(&Olds(vec![text("one")])), 1, "the other content may be alike");
    }
}
