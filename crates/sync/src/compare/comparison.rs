//! Compares the two trees: finds what differs, and what the destination must be asked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use assetsync_core::delta::SignatureSpec;
use assetsync_core::digest::ShortDigest;
use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::path::RelPath;
use assetsync_core::protocol::Query;
use assetsync_core::recipe::{ContentIndex, Recipes, signature_wanted};
use assetsync_core::state::{RetainedContent, State};

use super::aliases::{OneName, Other, Pair, pairs};
use super::basis_index::BasisIndex;
use super::policy::Policy;
use super::size_neighbours::{Candidate, pairs as pairs_by_size};
use crate::compare::content_match::{ContentMatch, SourceEntry, same_content};
use crate::compare::source_index::{PerSource, SourceIndex};
use crate::draft::drafts::{Drafts, GzDraft};
use crate::plan::decision::Deletes;
use crate::scan::compressed_names::is_precompressed;

/// The compared trees.
#[derive(Debug)]
pub struct Comparison<'a> {
    pub(crate) source: &'a [SourceEntry],
    pub(crate) state: &'a State,
    pub(crate) policy: &'a Policy,
    /// The recipes that may be used.
    pub(crate) recipes: Recipes,
    /// Which extraneous paths are deleted.
    pub(crate) deletes: &'a Deletes,
    /// The retained contents of the destination.
    pub(crate) retained_contents: &'a [RetainedContent],
    /// Whether contents of the source may exist only at the destination.
    pub(crate) has_contents_elsewhere: bool,
    /// For each source entry, the position of its path in the state.
    pub(crate) known: PerSource<Option<EntryIndex>>,
    /// Source entries that exist under another spelling, by position, with the position of that in
    /// the state.
    pub(crate) aliases: BTreeMap<SourceIndex, EntryIndex>,
    pub(crate) same: PerSource<ContentMatch>,
    pub(crate) contents: ContentIndex,
    pub(crate) names: BasisIndex<'a>,
    /// Drafts of changed files.
    pub(crate) drafts: Arc<Drafts>,
    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub(crate) regzips: Arc<HashMap<SourceIndex, GzDraft>>,
    /// See [`bases`](Comparison::bases).
    bases: OnceLock<PerSource<Option<BasisQuery>>>,
}

/// A basis that the destination is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BasisQuery {
    /// Position in the state.
    pub(crate) known: EntryIndex,
    /// Whether the basis is used as it is after rewriting.
    pub(crate) rewritten: bool,
    /// Whether to ask also if the rewritten basis equals the new content.
    pub(crate) expects: bool,
    /// The signature to ask for, if a delta can be smaller.
    pub(crate) spec: Option<SignatureSpec>,
}

impl<'a> Comparison<'a> {
    /// Compares two trees in tree order. Only `recipes` are used.
    pub fn new(
        source: &'a [SourceEntry],
        state: &'a State,
        policy: &'a Policy,
        recipes: Recipes,
    ) -> Comparison<'a> {
        let known = positions(source, state);
        let pairs = source.iter().zip(known.iter());
        let same = pairs
            .map(|(local, known)| match known.and_then(|known| known.of(&state.entries)) {
                Some(remote) => same_content(local, remote, policy.size_only),
                None => ContentMatch::No,
            })
            .collect();
        Comparison {
            source,
            state,
            policy,
            recipes,
            deletes: if policy.delete { &Deletes::Extraneous } else { &Deletes::None },
            retained_contents: &[],
            has_contents_elsewhere: false,
            known,
            aliases: BTreeMap::new(),
            same,
            contents: ContentIndex::of(state),
            names: BasisIndex::of(state, &policy.names),
            drafts: Arc::default(),
            regzips: Arc::default(),
            bases: OnceLock::new(),
        }
    }

    /// Prefers contents of the destination, however small: a [given source](crate::Source::of) may
    /// lack them.
    pub fn given(mut self, has_contents_elsewhere: bool) -> Comparison<'a> {
        self.has_contents_elsewhere = has_contents_elsewhere;
        self
    }

    /// Sets what a deploy decided to delete, and the retained contents of the destination.
    pub fn deploying(
        mut self,
        deletes: &'a Deletes,
        retained_contents: &'a [RetainedContent],
    ) -> Comparison<'a> {
        (self.deletes, self.retained_contents) = (deletes, retained_contents);
        self.contents = ContentIndex::of(self.state).with_retained(retained_contents);
        self.bases.take();
        self
    }

    /// Sets the drafts. The destination is not asked about drafted files.
    pub fn with(mut self, drafts: Arc<Drafts>) -> Comparison<'a> {
        self.regzips = Arc::clone(&drafts.regzips);
        self.drafts = drafts;
        self.bases.take();
        self
    }

    /// Pairs of names that may be the same at the destination, which must be asked.
    pub fn suspects(&self) -> Vec<Pair> {
        pairs(self.source, self.state, &self.known)
    }

    /// Whether the destination lists the other path of a pair.
    pub fn is_listed(&self, other: Other) -> bool {
        match other {
            Other::Source(at) => self.known[at].is_some(),
            Other::Existing(_) => true,
        }
    }

    /// The two paths of a pair.
    pub fn spellings(&self, pair: Pair) -> (&'a RelPath, &'a RelPath) {
        let other = match pair.other {
            Other::Source(at) => &self.source[at].entry,
            Other::Existing(known) => &self.state.entries[known].entry,
        };
        (&self.source[pair.new].entry.path, &other.path)
    }

    /// Sets which pairs are the same name at the destination. It is an error if both are in the
    /// source, if a filter protects the other one, or if only one is a directory.
    pub fn aliased(mut self, pairs: &[Pair]) -> Result<Comparison<'a>, Vec<OneName>> {
        let mut clashes = Vec::new();
        for pair in pairs {
            let local = &self.source[pair.new];
            let taken = match pair.other {
                Other::Existing(known) => self.stands_in(local, known).then_some(known),
                Other::Source(_) => None,
            };
            match taken {
                Some(known) => drop(self.aliases.insert(pair.new, known)),
                None => {
                    let (path, other) = self.spellings(*pair);
                    clashes.push(OneName { path: path.clone(), other: other.clone() });
                }
            }
        }
        for (&at, &known) in &self.aliases {
            let remote = &self.state.entries[known];
            self.same[at] = match same_content(&self.source[at], remote, self.policy.size_only) {
                ContentMatch::Yes => ContentMatch::Yes,
                _ => ContentMatch::No,
            };
        }
        if clashes.is_empty() { Ok(self) } else { Err(clashes) }
    }

    fn stands_in(&self, local: &SourceEntry, known: EntryIndex) -> bool {
        let entry = &self.state.entries[known].entry;
        let is_dir = entry.kind == Kind::Dir;
        let is_protected = self.policy.filter.covers(entry.path.as_bytes(), is_dir);
        is_dir == (local.entry.kind == Kind::Dir) && !is_protected
    }

    /// The drafts of changed files.
    pub fn drafts(&self) -> &Drafts {
        &self.drafts
    }

    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub fn regzips(&self) -> &HashMap<SourceIndex, GzDraft> {
        &self.regzips
    }

    /// The source's entries, in tree order.
    pub fn source(&self) -> &'a [SourceEntry] {
        self.source
    }

    /// The destination's state.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// How the trees are compared.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// The recipes that may be used.
    pub fn recipes(&self) -> Recipes {
        self.recipes
    }

    /// The path at a position of the state.
    pub fn known_path(&self, known: EntryIndex) -> Option<&'a RelPath> {
        known.of(&self.state.entries).map(|remote| &remote.entry.path)
    }

    /// Positions of the source's files whose content the destination is known to lack.
    pub fn changed(&self) -> Vec<SourceIndex> {
        self.same
            .indices()
            .filter(|&at| self.same[at] == ContentMatch::No && self.is_new(at))
            .collect()
    }

    /// Whether a source entry is a file whose content the destination is not known to have.
    fn is_new(&self, at: SourceIndex) -> bool {
        let local = &self.source[at];
        let key = local.digest.map(|digest| digest.short()).zip(local.entry.file_size());
        key.is_some_and(|key| !self.recipes.copy || self.contents.find(key).is_none())
    }

    /// The position in the state of the regular file at the path of a source file.
    pub fn existing_index(&self, at: SourceIndex) -> Option<EntryIndex> {
        self.existing(at).and(self.known[at])
    }

    /// The file of the state with the same logical name as a source file.
    pub fn same_logical_name(&self, at: SourceIndex) -> Option<EntryIndex> {
        self.names.find(&self.source[at].entry, &self.policy.names)
    }

    /// Positions of the state's files that the source does not have.
    pub fn extraneous(&self) -> impl Iterator<Item = EntryIndex> {
        let mut known = self.known.iter().flatten().peekable();
        self.state.indices().filter(move |at| known.next_if_eq(&at).is_none())
    }

    /// For each source entry, the basis to ask about; chosen when it is first needed.
    pub(crate) fn bases(&self) -> &PerSource<Option<BasisQuery>> {
        self.bases.get_or_init(|| self.choose_bases())
    }

    fn choose_bases(&self) -> PerSource<Option<BasisQuery>> {
        let renames = self.drafts.renames.iter();
        let renamed: HashMap<&RelPath, EntryIndex> =
            renames.map(|(path, rename)| (path, rename.known)).collect();
        // These are queried as they are, so not after rewriting.
        let asked = self
            .known
            .iter()
            .zip(self.same.iter())
            .filter(|(_, same)| **same == ContentMatch::Query);
        let asked: HashSet<EntryIndex> = asked.filter_map(|(known, _)| *known).collect();
        let by_name = |at: SourceIndex| {
            self.existing_index(at)
                .or_else(|| renamed.get(&self.source[at].entry.path).copied())
                .or_else(|| self.same_logical_name(at))
        };
        let neighbours =
            if self.recipes.delta { self.neighbours(&by_name) } else { HashMap::new() };
        let mut expected = HashSet::new();
        let mut choose = |at: SourceIndex| {
            let local = &self.source[at];
            if !self.is_asked_about(at) {
                return None;
            }
            let known = by_name(at).or_else(|| neighbours.get(&at).copied())?;
            let basis_bytes = known.of(&self.state.entries)?.entry.file_size()?;
            let compressed = is_precompressed(local.entry.path.as_bytes());
            let rewritten = self.drafts.rewriter.is_some()
                && self.recipes.rewrite
                && !asked.contains(&known)
                && !compressed;
            let spec =
                signature_wanted(basis_bytes, local.entry.file_size()?, compressed, rewritten);
            let spec = spec.filter(|_| self.recipes.delta);
            let expects = rewritten && expected.insert(known);
            (expects || spec.is_some()).then_some(BasisQuery { known, rewritten, expects, spec })
        };
        self.same.indices().map(&mut choose).collect()
    }

    /// Whether a basis of a source file is asked for: its content is new, and nothing is drafted.
    fn is_asked_about(&self, at: SourceIndex) -> bool {
        let drafted = self.drafts.files.contains_key(&at) || self.regzips.contains_key(&at);
        self.same[at] != ContentMatch::Yes && !drafted && self.is_new(at)
    }

    /// For files without a basis by name, the old files nearest in size that nothing else is made
    /// from; not for those whose content is known to be like no old one.
    fn neighbours(
        &self,
        by_name: &dyn Fn(SourceIndex) -> Option<EntryIndex>,
    ) -> HashMap<SourceIndex, EntryIndex> {
        let (mut new, mut taken) = (Vec::new(), HashSet::new());
        for at in self.same.indices().filter(|&at| self.is_asked_about(at)) {
            let entry = &self.source[at].entry;
            match (by_name(at), entry.file_size()) {
                (Some(known), _) => {
                    taken.insert(known);
                }
                (None, Some(size)) if !self.drafts.unlike.contains(&at) => {
                    new.push(Candidate { id: at, path: &entry.path, size });
                }
                (None, _) => {}
            }
        }
        if new.is_empty() {
            return HashMap::new();
        }
        let digests = self.source.iter().filter_map(|local| local.digest);
        let moved: HashSet<ShortDigest> = digests.map(|digest| digest.short()).collect();
        let free = self.extraneous().filter(|known| !taken.contains(known));
        let old: Vec<_> = free
            .filter_map(|known| {
                let remote = known.of(&self.state.entries)?;
                let (path, size) = (&remote.entry.path, remote.entry.file_size()?);
                let is_moved = remote.digest.is_some_and(|digest| moved.contains(&digest));
                (!is_moved).then_some(Candidate { id: known, path, size })
            })
            .collect();
        pairs_by_size(&new, &old).into_iter().collect()
    }

    /// The existing regular file at the path of a source file.
    pub(crate) fn existing(&self, at: SourceIndex) -> Option<&'a Entry> {
        let remote = &self.known[at]?.of(&self.state.entries)?.entry;
        matches!(remote.kind, Kind::File { .. }).then_some(remote)
    }

    /// The queries, one for each file, in order of the state.
    pub fn queries(&self) -> Vec<Query> {
        let (mut asks, bases) = (BTreeMap::new(), self.bases());
        for (at, local) in Index::enumerate(self.source) {
            if let Some(BasisQuery { known, rewritten, expects, spec }) = bases[at] {
                let ask = ask(&mut asks, known);
                ask.signature = spec.or(ask.signature);
                ask.rewritten |= rewritten;
                if expects {
                    ask.expected = local.digest.map(|digest| digest.short());
                }
            }
            if let (ContentMatch::Query, Some(known)) = (self.same[at], self.known[at]) {
                ask(&mut asks, known).expected = local.digest.map(|digest| digest.short());
            }
        }
        asks.into_values().collect()
    }

    /// The position in the source of a path.
    pub fn position_of(&self, path: &RelPath) -> Option<SourceIndex> {
        self.source.binary_search_by(|local| local.entry.path.cmp(path)).ok().map(Index::at)
    }

    /// The size of a file of the state, in bytes.
    pub fn known_bytes(&self, known: EntryIndex) -> u64 {
        let remote = known.of(&self.state.entries);
        remote.and_then(|remote| remote.entry.file_size()).unwrap_or(0)
    }
}

fn ask(asks: &mut BTreeMap<EntryIndex, Query>, known: EntryIndex) -> &mut Query {
    asks.entry(known).or_insert(Query { known, expected: None, signature: None, rewritten: false })
}

/// For each source entry, the position of its path in the state: a merge of two sorted lists.
fn positions(source: &[SourceEntry], state: &State) -> PerSource<Option<EntryIndex>> {
    let mut at = EntryIndex::new(0);
    let position = |local: &SourceEntry| {
        while at.of(&state.entries).is_some_and(|remote| remote.entry.path < local.entry.path) {
            at = at.next();
        }
        let found = at.of(&state.entries)?.entry.path == local.entry.path;
        found.then_some(at)
    };
    source.iter().map(position).collect()
}
