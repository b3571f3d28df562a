//! Chooses what a changed file is compared with: the same path, the name it succeeds, the same logical name, else
//! the most similar content.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Mutex;

use rayon::prelude::*;

use super::build::{Drafts, OldContents, is_comparable, matches_plan};
use crate::compare::comparison::Comparison;
use crate::draft::sketch::{Sketch, Sketches, similarity};
use crate::scan::source::Source;

/// Contents less alike than this are no basis for each other.
const ALIKE: f64 = 0.1;

/// Most files whose content is sketched to find a basis.
const SKETCHED: usize = 20_000;

/// The old content at a position of the state, if it is at hand and worth comparing with.
pub fn old_content(
    comparison: &Comparison<'_>,
    old: &dyn OldContents,
    known: u32,
) -> Option<Vec<u8>> {
    let remote = comparison.state().entries.get(known as usize)?;
    let size = remote.entry.file_size()?;
    let comparable = is_comparable(&remote.entry.path, size);
    comparable.then(|| old.get(remote.digest?, size)).flatten()
}

fn has_old(comparison: &Comparison<'_>, old: &dyn OldContents, known: u32) -> bool {
    let remote = comparison.state().entries.get(known as usize);
    remote.is_some_and(|remote| {
        let size = remote.entry.file_size().filter(|&size| is_comparable(&remote.entry.path, size));
        size.zip(remote.digest).is_some_and(|(size, digest)| old.has(digest, size))
    })
}

/// The new content of a source file, if it is still what was planned.
pub fn new_content(comparison: &Comparison<'_>, source: &Source, at: usize) -> Option<Vec<u8>> {
    let local = comparison.source().get(at)?;
    let size = local.entry.file_size()?;
    if !is_comparable(&local.entry.path, size) {
        return None;
    }
    let content = read(source, local)?;
    matches_plan(&content, local.digest).then_some(content)
}

/// Reads a source file, no further than it was when it was listed.
pub fn read(
    source: &Source,
    local: &crate::compare::content_match::SourceEntry,
) -> Option<Vec<u8>> {
    let size = local.entry.file_size()?;
    let file = source.tree().ok()?.open_file(&local.entry.path).ok()?;
    let mut content = Vec::with_capacity(size as usize + 1);
    file.take(size + 1).read_to_end(&mut content).ok()?;
    Some(content)
}

/// For each changed file, the position in the state of what it is compared with.
pub fn choose(
    comparison: &Comparison<'_>,
    source: &Source,
    old: &dyn OldContents,
    changed: &[usize],
    drafts: &Drafts,
) -> Vec<(usize, u32)> {
    let renamed: HashMap<&[u8], u32> =
        drafts.renames.iter().map(|(path, rename)| (path.as_bytes(), rename.known)).collect();
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for &at in changed {
        let entry = &comparison.source()[at].entry;
        if !entry.file_size().is_some_and(|size| is_comparable(&entry.path, size)) {
            continue;
        }
        let by_name = comparison
            .existing_index(at)
            .or_else(|| renamed.get(entry.path.as_bytes()).copied())
            .or_else(|| comparison.same_logical_name(at));
        match by_name.filter(|&known| has_old(comparison, old, known)) {
            Some(known) => chosen.push((at, known)),
            None => left.push(at),
        }
    }
    chosen.extend(most_similar(comparison, source, old, &left));
    chosen.sort_unstable();
    chosen
}

/// Finds bases by content, among what the destination has and the source has not.
fn most_similar(
    comparison: &Comparison<'_>,
    source: &Source,
    old: &dyn OldContents,
    left: &[usize],
) -> Vec<(usize, u32)> {
    if left.is_empty() {
        return Vec::new();
    }
    let candidates: Vec<u32> = comparison
        .extraneous()
        .filter(|&known| has_old(comparison, old, known))
        .take(SKETCHED)
        .collect();
    if candidates.is_empty() {
        return Vec::new();
    }
    let sketched = candidates
        .par_iter()
        .filter_map(|&known| Some((known, Sketch::of(&old_content(comparison, old, known)?))));
    let mut sketches = Sketches::default();
    for (known, sketch) in sketched.collect::<Vec<_>>() {
        sketches.insert(known, sketch);
    }
    let found = left.par_iter().filter_map(|&at| {
        let sketch = Sketch::of(&new_content(comparison, source, at)?);
        let (known, _) = sketches.most_similar(&sketch, ALIKE)?;
        Some((at, known))
    });
    found.collect()
}

/// How alike old and new contents are; sketches are made when they are first asked for.
pub struct SimilarityCache<'d, 'a> {
    comparison: &'d Comparison<'a>,
    source: &'d Source,
    old: &'d dyn OldContents,
    old_sketches: Mutex<HashMap<u32, Option<Sketch>>>,
    new_sketches: Mutex<HashMap<usize, Option<Sketch>>>,
}

impl<'d, 'a> SimilarityCache<'d, 'a> {
    /// Between the contents `old` has and those of the source.
    pub fn new(
        comparison: &'d Comparison<'a>,
        source: &'d Source,
        old: &'d dyn OldContents,
    ) -> SimilarityCache<'d, 'a> {
        let (old_sketches, new_sketches) = (Mutex::default(), Mutex::default());
        SimilarityCache { comparison, source, old, old_sketches, new_sketches }
    }

    /// From 0 to 1, if both contents are at hand.
    pub fn of(&self, known: u32, at: usize) -> Option<f64> {
        let mut olds = self.old_sketches.lock().ok()?;
        let old = olds.entry(known).or_insert_with(|| {
            old_content(self.comparison, self.old, known).map(|content| Sketch::of(&content))
        });
        let old = old.as_ref()?;
        let mut news = self.new_sketches.lock().ok()?;
        let new = news.entry(at).or_insert_with(|| {
            new_content(self.comparison, self.source, at).map(|content| Sketch::of(&content))
        });
        Some(similarity(old, new.as_ref()?))
    }
}
