//! Drafts: what the sender finds out by itself about files that changed, before it asks the destination anything.
//!
//! Names of one logical file give the fingerprints that are rewritten in old contents; where the store has an old
//! content, the sender compares it with the new one byte for byte; a `.gz` is taken apart into its plain sibling
//! and corrections.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use assetsync_core::digest::Digest;
use assetsync_core::path::RelPath;
use assetsync_core::plan::Rename;
use assetsync_core::recipe::{Recipes, Reference};
use assetsync_core::renaming::substitution_pairs;
use assetsync_regzip as regzip;
use assetsync_rewrite::Rewriter;
use rayon::prelude::*;

use super::renames;
use crate::compare::comparison::Comparison;
pub(crate) use crate::draft::choose_basis::{new_content, old_content, read};
use crate::draft::exact_diff::{PatchOp, compare};
pub use crate::draft::old_contents::{NoContents, OldContents};
use crate::scan::compressed_names::is_precompressed;
use crate::scan::source::Source;

/// Files over this are not compared in memory, in bytes; a delta has to do.
pub const LARGEST: u64 = 64 << 20;

/// Copies shorter than this are left to the compressor, in bytes.
const SHORTEST_COPY: usize = 64;

/// About what a copy costs on the wire, in bytes.
const COPY_BYTES: u64 = 6;

/// Smaller `.gz` files are sent as they are, in bytes: they are hardly more than their corrections would be.
const SMALLEST_GZ: u64 = 512;

/// How many files are looked at for texts that changed in several of them.
const SAMPLES: usize = 200;

/// Longest content that is looked at for such texts, in bytes.
const SAMPLE_BYTES: usize = 256 * 1024;

/// What is known of the files that changed.
#[derive(Debug, Default)]
pub struct Drafts {
    /// New paths that succeed old ones, in tree order of the new ones.
    pub renames: Vec<(RelPath, Rename)>,
    /// Texts that are rewritten besides the fingerprints of renames.
    pub substitutes: Vec<(Vec<u8>, Vec<u8>)>,
    /// What rewrites old contents; `None` where there is nothing to rewrite.
    pub rewriter: Option<Rewriter>,
    /// What is known of source files, by position.
    pub files: HashMap<usize, Draft>,
    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub regzips: Arc<HashMap<usize, GzDraft>>,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// The file at this position of the state, rewritten, is the content.
    Rewritten(u32),
    /// The content, compared with a ground.
    Compared {
        /// The ground.
        reference: Reference,
        /// The differences.
        pieces: Vec<PatchOp>,
    },
}

impl Draft {
    /// About how many bytes must travel.
    pub fn bytes(&self) -> u64 {
        let Draft::Compared { pieces, .. } = self else { return 0 };
        let cost = |piece: &PatchOp| match piece {
            PatchOp::Copy { .. } => COPY_BYTES,
            // Compressed, with what was near it at hand.
            PatchOp::New { range, .. } => 2 + range.len() as u64 / 4,
        };
        pieces.iter().map(cost).sum()
    }
}

impl Drafts {
    /// Finds out what can be found out here. `old` gives contents the destination has.
    pub fn make(comparison: &Comparison<'_>, source: &Source, old: &dyn OldContents) -> Drafts {
        let mut drafts = Drafts::default();
        let (changed, recipes) = (comparison.changed(), comparison.recipes());
        if changed.is_empty() {
            return drafts;
        }
        let drafting = DraftBuilder { comparison, source, old, changed: &changed };
        if recipes.use_renames() {
            drafting.rename(&mut drafts);
        }
        if recipes.patch || recipes.rewrite {
            drafting.compare(&mut drafts, recipes);
        }
        if recipes.regzip {
            let substitution_pairs =
                changed.iter().filter_map(|&at| Some((at, plain_sibling(comparison, at)?)));
            let regzip = |(at, plain)| (at, GzDraft { plain, corrections: OnceLock::new() });
            drafts.regzips = Arc::new(substitution_pairs.map(regzip).collect());
        }
        drafts
    }

    fn build_rewriter(&mut self, comparison: &Comparison<'_>) {
        let fingerprints: Vec<_> = self
            .renames
            .iter()
            .filter_map(|(_, rename)| {
                let old = rename.old(comparison.known_path(rename.known)?)?;
                Some((old.to_vec(), rename.new.clone()))
            })
            .collect();
        let substitution_pairs = substitution_pairs(&self.substitutes, &fingerprints);
        // Names that can't be searched for are renamed all the same.
        self.rewriter = Rewriter::new(substitution_pairs.iter().copied())
            .ok()
            .filter(|_| !substitution_pairs.is_empty());
    }
}

struct DraftBuilder<'d, 'a> {
    comparison: &'d Comparison<'a>,
    source: &'d Source,
    old: &'d dyn OldContents,
    /// Positions of source files whose content the destination lacks.
    changed: &'d [usize],
}

/// A changed file, its new content and what it is made from.
struct ChangedFile {
    at: usize,
    known: u32,
    /// The old content, rewritten.
    reference: Vec<u8>,
    is_rewritten: bool,
    new: Vec<u8>,
}

impl DraftBuilder<'_, '_> {
    /// Finds the names that succeed others.
    fn rename(&self, drafts: &mut Drafts) {
        let resemblance =
            super::choose_basis::SimilarityCache::new(self.comparison, self.source, self.old);
        let found = renames::find(
            self.comparison.state(),
            self.comparison.source(),
            &self.comparison.policy().names,
            &|known, at| resemblance.of(known, at),
        );
        let found = found.into_iter().take(assetsync_core::limits::RENAMES);
        drafts.renames = found.filter_map(|found| self.to_wire(&found)).collect();
        drafts.build_rewriter(self.comparison);
    }

    /// A rename as it is told, if it can be.
    fn to_wire(&self, found: &renames::RenamePair) -> Option<(RelPath, Rename)> {
        let path = &self.comparison.source().get(found.local)?.entry.path;
        let rename = Rename {
            known: found.known,
            start: u16::try_from(found.old.start).ok()?,
            length: u8::try_from(found.old.len()).ok()?,
            new: path.as_bytes().get(found.new.clone())?.to_vec(),
        };
        let to_wire = rename.renamed_path(self.comparison.known_path(found.known)?)?;
        let fits =
            rename.new.len() <= assetsync_core::limits::FINGERPRINT_BYTES && to_wire == *path;
        fits.then_some((to_wire, rename))
    }

    /// Compares all changed files whose old content is at hand.
    fn compare(&self, drafts: &mut Drafts, recipes: Recipes) {
        let bases = super::choose_basis::choose(
            self.comparison,
            self.source,
            self.old,
            self.changed,
            drafts,
        );
        if recipes.rewrite {
            drafts.substitutes = self.learn(&bases, drafts);
            if !drafts.substitutes.is_empty() {
                drafts.build_rewriter(self.comparison);
            }
        }
        let rewriter = drafts.rewriter.as_ref().filter(|_| recipes.rewrite);
        let compared = bases.par_iter().filter_map(|&(at, known)| {
            let case = self.case(at, known, rewriter)?;
            Some((case.at, self.draft(&case, recipes)?))
        });
        drafts.files = compared.collect();
    }

    fn case(&self, at: usize, known: u32, rewriter: Option<&Rewriter>) -> Option<ChangedFile> {
        let old = old_content(self.comparison, self.old, known)?;
        let new = new_content(self.comparison, self.source, at)?;
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
        let basis = assetsync_core::recipe::Basis::Existing(case.known);
        let reference = Reference { basis, rewritten: case.is_rewritten };
        recipes.patch.then(|| Draft::Compared {
            reference,
            pieces: compare(&case.reference, &case.new, SHORTEST_COPY),
        })
    }

    /// Texts that changed in the same way in several files, such as a version number.
    fn learn(&self, bases: &[(usize, u32)], drafts: &Drafts) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rewriter = drafts.rewriter.as_ref();
        let small = bases.iter().filter(|(at, _)| {
            let size = self.comparison.source()[*at].entry.file_size();
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
        let mut learned = renames::learn(samples);
        learned.truncate(assetsync_core::limits::SUBSTITUTES);
        learned
    }
}

/// The position of `app.js`, if `at` is `app.js.gz` and worth taking apart.
fn plain_sibling(comparison: &Comparison<'_>, at: usize) -> Option<usize> {
    let entry = &comparison.source()[at].entry;
    let plain = RelPath::new(entry.path.as_bytes().strip_suffix(b".gz")?).ok()?;
    let found = comparison.position_of(&plain)?;
    let plain_size = comparison.source()[found].entry.file_size()?;
    let fits = (SMALLEST_GZ..=LARGEST).contains(&entry.file_size()?) && plain_size <= LARGEST;
    fits.then_some(found)
}

/// A `.gz` that may be made from its plain sibling.
#[derive(Debug)]
pub struct GzDraft {
    /// Position of the plain sibling in the source.
    pub plain: usize,
    corrections: OnceLock<Option<Vec<u8>>>,
}

impl GzDraft {
    /// The corrections that make the source file `at` of its plain sibling, if there are such. Whoever asks first
    /// works them out.
    pub fn corrections(&self, source: &Source, at: usize) -> Option<&[u8]> {
        self.corrections.get_or_init(|| split_gz(source, at, self.plain)).as_deref()
    }
}

fn split_gz(source: &Source, at: usize, plain: usize) -> Option<Vec<u8>> {
    let entries = source.hashed().ok()?;
    let content = |at: usize| {
        let local = entries.get(at)?;
        read(source, local).filter(|content| matches_plan(content, local.digest))
    };
    regzip::split(&content(at)?, &content(plain)?)
}

/// Whether a file's content is compared with old ones at all.
pub(crate) fn is_comparable(path: &RelPath, size: u64) -> bool {
    size <= LARGEST && !is_precompressed(path.as_bytes())
}

/// Whether a file's content is what was planned.
pub(crate) fn matches_plan(content: &[u8], digest: Option<Digest>) -> bool {
    digest == Some(Digest::of(content))
}
