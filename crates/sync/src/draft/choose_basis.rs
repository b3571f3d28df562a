//! Chooses the basis a changed file is compared with: the same path, the old path of a rename, the
//! same logical name, else the most similar content.

use std::collections::HashMap;
use std::sync::Mutex;

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

/// For each changed file, the position of its basis in the state.
pub fn choose(
    contents: ComparedContents<'_, '_>,
    changed: &[SourceIndex],
    drafts: &Drafts,
) -> Vec<(SourceIndex, EntryIndex)> {
    let comparison = contents.comparison;
    let renamed: HashMap<&[u8], EntryIndex> =
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
        match by_name.filter(|&known| contents.has_old_content(known)) {
            Some(known) => chosen.push((at, known)),
            None => left.push(at),
        }
    }
    chosen.extend(most_similar(contents, &left));
    chosen.sort_unstable();
    chosen
}

/// Finds bases by content, among the extraneous files.
fn most_similar(
    contents: ComparedContents<'_, '_>,
    left: &[SourceIndex],
) -> Vec<(SourceIndex, EntryIndex)> {
    if left.is_empty() {
        return Vec::new();
    }
    let candidates: Vec<EntryIndex> = contents
        .comparison
        .extraneous()
        .filter(|&known| contents.has_old_content(known))
        .take(SKETCHED)
        .collect();
    if candidates.is_empty() {
        return Vec::new();
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

/// How similar old and new contents are. Sketches are made when they are first needed.
pub struct SimilarityCache<'d, 'a> {
    contents: ComparedContents<'d, 'a>,
    old_sketches: Mutex<HashMap<EntryIndex, Option<Sketch>>>,
    new_sketches: Mutex<HashMap<SourceIndex, Option<Sketch>>>,
}

impl<'d, 'a> SimilarityCache<'d, 'a> {
    /// No sketch is made yet.
    pub fn new(contents: ComparedContents<'d, 'a>) -> SimilarityCache<'d, 'a> {
        let (old_sketches, new_sketches) = (Mutex::default(), Mutex::default());
        SimilarityCache { contents, old_sketches, new_sketches }
    }

    /// The similarity, from 0 to 1, if both contents are available.
    pub fn of(&self, known: EntryIndex, at: SourceIndex) -> Option<f64> {
        let mut olds = self.old_sketches.lock().ok()?;
        let old = olds.entry(known).or_insert_with(|| {
            self.contents.old_content(known).map(|content| Sketch::of(&content))
        });
        let old = old.as_ref()?;
        let mut news = self.new_sketches.lock().ok()?;
        let new = news
            .entry(at)
            .or_insert_with(|| self.contents.new_content(at).map(|content| Sketch::of(&content)));
        Some(similarity(old, new.as_ref()?))
    }
}
