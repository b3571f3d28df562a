//! Drafts files: finds out, before the destination is asked anything, how changed files can be made
//! from old contents.
//!
//! Names of one logical file give the fingerprints that are rewritten in old contents; if the store
//! has an old content, it is compared with the new one byte for byte; a `.gz` is split into its
//! plain sibling and corrections.

use std::sync::Arc;

use assetsync_core::index::EntryIndex;
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::plan::Rename;
use assetsync_core::recipe::{Basis, Recipes, Reference};
use assetsync_core::renaming::substitution_pairs;
use assetsync_core::state::State;
use assetsync_rewrite::Rewriter;
use rayon::prelude::*;

use super::choose_basis::{Bases, PairSketches, choose};
use super::compared_contents::ComparedContents;
use super::contents::LARGEST;
use super::drafts::{Draft, Drafts, GzDraft};
use super::exact_diff::compare;
use super::old_contents::OldContents;
use super::renames::{NameGroups, RenamePair};
use super::substitutes;
use crate::compare::comparison::Comparison;
use crate::compare::source_index::SourceIndex;
use crate::scan::source::Source;

/// Copies shorter than this are left to the compressor, in bytes.
const SHORTEST_COPY: usize = 64;

/// Smaller `.gz` files are sent as they are, in bytes: they are hardly more than their corrections
/// would be.
const SMALLEST_GZ: u64 = 512;

/// How many files are searched for texts that changed in several of them.
const SAMPLES: usize = 200;

/// Longest content that is searched for such texts, in bytes.
const SAMPLE_BYTES: usize = 256 * 1024;

/// Drafts the files of `source` that the destination lacks. `old` has contents of the destination.
/// Once the drafts are no longer `wanted`, no more files are begun; what is made is then of no use.
pub fn draft_files(
    comparison: &Comparison<'_>,
    source: &Source,
    old: &dyn OldContents,
    wanted: &(dyn Fn() -> bool + Sync),
) -> Drafts {
    let mut drafts = Drafts::default();
    let (changed, recipes) = (comparison.changed(), comparison.recipes());
    if changed.is_empty() {
        return drafts;
    }
    let contents = ComparedContents { comparison, source, old };
    let drafting = DraftBuilder { contents, changed: &changed, wanted };
    if recipes.use_renames() {
        drafting.rename(&mut drafts);
    }
    if recipes.patch || recipes.rewrite {
        drafting.compare(&mut drafts, recipes);
    }
    if recipes.regzip {
        let siblings = changed.iter().filter_map(|&at| Some((at, plain_sibling(comparison, at)?)));
        let regzip = |(at, plain)| (at, GzDraft::from_plain(plain));
        drafts.regzips = Arc::new(siblings.map(regzip).collect());
    }
    drafts
}

/// Rewrites the texts of renames and substitutes, if there are any.
fn rewriter(drafts: &Drafts, state: &State) -> Option<Rewriter> {
    let renames = drafts.renames.iter();
    let fingerprints: Vec<_> = renames
        .filter_map(|(_, rename)| {
            let path = &rename.known.of(&state.entries)?.entry.path;
            Some((rename.old(path)?.to_vec(), rename.new.clone()))
        })
        .collect();
    let pairs = substitution_pairs(&drafts.substitutes, &fingerprints);
    // Without a rewriter, files whose names can't be searched for are still renamed.
    Rewriter::new(pairs.iter().copied()).ok().filter(|_| !pairs.is_empty())
}

struct DraftBuilder<'d, 'a> {
    contents: ComparedContents<'d, 'a>,
    /// Positions of source files whose content the destination lacks.
    changed: &'d [SourceIndex],
    wanted: &'d (dyn Fn() -> bool + Sync),
}

/// A changed file, its new content and the old content it is made from.
struct ChangedFile {
    at: SourceIndex,
    known: EntryIndex,
    /// The old content, rewritten.
    reference: Vec<u8>,
    is_rewritten: bool,
    new: Vec<u8>,
}

impl DraftBuilder<'_, '_> {
    /// Finds the renames.
    fn rename(&self, drafts: &mut Drafts) {
        let comparison = self.contents.comparison;
        let rules = &comparison.policy().names;
        let names = NameGroups::of(comparison.state(), comparison.source(), rules);
        let sketches = PairSketches::of(self.contents, names.compared(), self.wanted);
        let found = names.renames(&|known, at| sketches.similarity(known, at));
        let found = found.into_iter().take(limits::RENAMES);
        drafts.renames = found.filter_map(|found| self.to_wire(&found)).collect();
        drafts.rewriter = rewriter(drafts, comparison.state());
    }

    /// A rename in the form of the protocol, if it can be written so.
    fn to_wire(&self, found: &RenamePair) -> Option<(RelPath, Rename)> {
        let comparison = self.contents.comparison;
        let path = &found.local.of(comparison.source())?.entry.path;
        let rename = Rename {
            known: found.known,
            start: u16::try_from(found.old.start).ok()?,
            length: u8::try_from(found.old.len()).ok()?,
            new: path.as_bytes().get(found.new.clone())?.to_vec(),
        };
        let renamed = rename.renamed_path(comparison.known_path(found.known)?)?;
        let fits = rename.new.len() <= limits::FINGERPRINT_BYTES && renamed == *path;
        fits.then_some((renamed, rename))
    }

    /// Compares all changed files whose old content is available.
    fn compare(&self, drafts: &mut Drafts, recipes: Recipes) {
        let Bases { chosen: bases, unlike } = choose(self.contents, self.changed, drafts);
        drafts.unlike = unlike;
        if recipes.rewrite {
            drafts.substitutes = self.learn(&bases, drafts);
            if !drafts.substitutes.is_empty() {
                drafts.rewriter = rewriter(drafts, self.contents.comparison.state());
            }
        }
        let rewriter = drafts.rewriter.as_ref().filter(|_| recipes.rewrite);
        let compared = bases.par_iter().filter_map(|&(at, known)| {
            let case = self.case(at, known, rewriter)?;
            Some((case.at, self.draft(&case, recipes)?))
        });
        drafts.files = compared.collect();
    }

    fn case(
        &self,
        at: SourceIndex,
        known: EntryIndex,
        rewriter: Option<&Rewriter>,
    ) -> Option<ChangedFile> {
        if !(self.wanted)() {
            return None;
        }
        let (old, new) = (self.contents.old_content(known)?, self.contents.new_content(at)?);
        let rewritten = rewriter.map(|rewriter| rewriter.rewrite(&old));
        let (reference, is_rewritten) = match rewritten {
            Some(rewritten) if rewritten != old => (rewritten, true),
            _ => (old, false),
        };
        Some(ChangedFile { at, known, reference, is_rewritten, new })
    }

    fn draft(&self, case: &ChangedFile, recipes: Recipes) -> Option<Draft> {
        if case.is_rewritten && case.reference == case.new {
            return Some(Draft::Rewritten(case.known));
        }
        let basis = Basis::Existing(case.known);
        let reference = Reference { basis, rewritten: case.is_rewritten };
        recipes.patch.then(|| Draft::Compared {
            reference,
            pieces: compare(&case.reference, &case.new, SHORTEST_COPY),
        })
    }

    /// Texts that changed in the same way in several files, such as a version number.
    fn learn(
        &self,
        bases: &[(SourceIndex, EntryIndex)],
        drafts: &Drafts,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rewriter = drafts.rewriter.as_ref();
        let small = bases.iter().filter(|(at, _)| {
            let size = self.contents.comparison.source()[*at].entry.file_size();
            size.is_some_and(|size| size <= SAMPLE_BYTES as u64)
        });
        let cases: Vec<ChangedFile> = small
            .take(SAMPLES)
            .collect::<Vec<_>>()
            .par_iter()
            .filter_map(|&&(at, known)| self.case(at, known, rewriter))
            .filter(|case| case.reference != case.new)
            .collect();
        let samples = cases.iter().map(|case| (&case.reference[..], &case.new[..]));
        let mut learned = substitutes::learn(samples);
        learned.truncate(limits::SUBSTITUTES);
        learned
    }
}

/// The position of `app.js`, if `at` is `app.js.gz` and worth splitting.
fn plain_sibling(comparison: &Comparison<'_>, at: SourceIndex) -> Option<SourceIndex> {
    let entry = &comparison.source()[at].entry;
    let plain = RelPath::new(entry.path.as_bytes().strip_suffix(b".gz")?).ok()?;
    let found = comparison.position_of(&plain)?;
    let plain_size = comparison.source()[found].entry.file_size()?;
    let fits = (SMALLEST_GZ..=LARGEST).contains(&entry.file_size()?) && plain_size <= LARGEST;
    fits.then_some(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use assetsync_core::digest::{Digest, ShortDigest};
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::state::RemoteEntry;

    use super::*;
    use crate::compare::policy::Policy;

    const OLD: &[u8] = b"const version = 1; const name = 'shop'; render(name, version);";
    const NEW: &[u8] = b"const version = 2; const name = 'shop'; render(name, version);";

    struct OldFile;

    impl OldContents for OldFile {
        fn has(&self, digest: ShortDigest, size: u64) -> bool {
            self.get(digest, size).is_some()
        }

        fn get(&self, digest: ShortDigest, size: u64) -> Option<Vec<u8>> {
            let is_old = digest == Digest::of(OLD).short() && size == OLD.len() as u64;
            is_old.then(|| OLD.to_vec())
        }
    }

    #[test]
    fn no_file_is_begun_for_drafts_that_nobody_wants() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("app.js"), NEW).unwrap();
        let policy = Policy::default();
        let source = Source::scan(dir.path(), &policy).unwrap();
        let path = RelPath::new(b"app.js").unwrap();
        let (mode, size) = (0o644, OLD.len() as u64);
        let entry = Entry { path, kind: Kind::File { size }, mode, mtime: Mtime::default() };
        let entries = vec![RemoteEntry { entry, digest: Some(Digest::of(OLD).short()) }];
        let state = State { entries, partials: Vec::new() };
        let entries = source.hashed().unwrap();
        let comparison = Comparison::new(entries, &state, &policy, Recipes::ALL);
        let drafted = |wanted: bool| draft_files(&comparison, &source, &OldFile, &|| wanted).files;
        assert_eq!(drafted(true).len(), 1);
        assert!(drafted(false).is_empty());
    }
}
