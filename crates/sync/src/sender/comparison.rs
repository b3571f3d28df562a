//! The two trees, compared: what differs, and what the destination must be asked about it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::aliases::{Other, Pair, pairs};
use super::basis::Bases;
use super::decision::Deletes;
use super::drafts::{Drafts, Regzip};
use crate::compare::{Clock, Rule, Same, SourceEntry, same_content};
use crate::compressed_names::is_precompressed;
use crate::delta::{Signature, SignatureSpec};
use crate::entry::{Entry, Kind};
use crate::entry_points::EntryPoints;
use crate::filter::Filter;
use crate::path::RelPath;
use crate::proto::Ask;
use crate::recipe::{Contents, Recipes, wanted};
use crate::state::{Aside, State};

/// What the planner is told besides the two trees.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Delete what the source does not have.
    pub delete: bool,
    /// What decides whether files are the same.
    pub rule: Rule,
    /// How finely the destination keeps times.
    pub clock: Clock,
    /// What is not looked at on either side.
    pub filter: Filter,
    /// What is published last.
    pub entry_points: EntryPoints,
    /// How fingerprints look.
    pub names: crate::logical_name::Rules,
}

/// Two paths that are one to the destination's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneName {
    /// A path of the source.
    pub path: RelPath,
    /// Another one, of the source or at the destination.
    pub other: RelPath,
}

/// The answer to a question about a file at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has the expected content.
    Same,
    /// It has not.
    Different,
    /// It has not, and this is its signature.
    Signed(Signature),
    /// It can't be read.
    Gone,
}

/// Answers by position in the state.
pub type Answers = HashMap<u32, Answer>;

/// The two trees, compared.
#[derive(Debug)]
pub struct Comparison<'a> {
    pub(super) source: &'a [SourceEntry],
    pub(super) state: &'a State,
    pub(super) policy: &'a Policy,
    /// Which ways files may take.
    pub(super) recipes: Recipes,
    /// What is deleted of what the source does not have.
    pub(super) deletes: &'a Deletes,
    /// What is set aside at the destination.
    pub(super) asides: &'a [Aside],
    /// The source's contents may be nowhere but at the destination.
    pub(super) is_given: bool,
    /// For each source entry, the position of its path in the state.
    pub(super) known: Vec<Option<u32>>,
    /// Source entries that stand under another spelling, by position, and where in the state that is.
    pub(super) aliases: BTreeMap<usize, u32>,
    pub(super) same: Vec<Same>,
    pub(super) contents: Contents,
    pub(super) names: Bases<'a>,
    /// What the sender knows of changed files by itself.
    pub(super) drafts: Arc<Drafts>,
    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub(super) regzips: Arc<HashMap<usize, Regzip>>,
    /// For each source entry, the basis to ask about.
    pub(super) bases: Vec<Option<Asked>>,
}

/// A basis that the destination is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Position in the state.
    pub(super) known: u32,
    /// As it is after rewriting.
    pub(super) rewritten: bool,
    /// Whether the rewritten basis is this very content is asked, too.
    pub(super) expects: bool,
    /// The signature to ask for, if a delta can pay.
    pub(super) spec: Option<SignatureSpec>,
}

impl<'a> Comparison<'a> {
    /// Compares; both sides are in tree order. Files take only ways that are among `recipes`.
    pub fn new(
        source: &'a [SourceEntry],
        state: &'a State,
        policy: &'a Policy,
        recipes: Recipes,
    ) -> Comparison<'a> {
        let known = positions(source, state);
        let pairs = source.iter().zip(&known);
        let same = pairs
            .map(|(local, known)| match known.and_then(|known| state.entries.get(known as usize)) {
                Some(remote) => same_content(local, remote, policy.rule),
                None => Same::No,
            })
            .collect();
        let mut comparison = Comparison {
            source,
            state,
            policy,
            recipes,
            deletes: if policy.delete { &Deletes::Surplus } else { &Deletes::None },
            asides: &[],
            is_given: false,
            known,
            aliases: BTreeMap::new(),
            same,
            contents: Contents::of(state),
            names: Bases::of(state, &policy.names),
            drafts: Arc::default(),
            regzips: Arc::default(),
            bases: Vec::new(),
        };
        comparison.bases = comparison.choose_bases();
        comparison
    }

    /// Prefers what the destination has, however small: a [given source](super::Source::of) may lack it.
    pub fn given(mut self, is_given: bool) -> Comparison<'a> {
        self.is_given = is_given;
        self
    }

    /// Takes what a deploy decided to delete, and the contents that are set aside at the destination.
    pub fn deploying(mut self, deletes: &'a Deletes, asides: &'a [Aside]) -> Comparison<'a> {
        (self.deletes, self.asides) = (deletes, asides);
        self.contents = Contents::of(self.state).with_asides(asides);
        self.bases = self.choose_bases();
        self
    }

    /// Takes what the sender knows of changed files: about those the destination is not asked.
    pub fn with(mut self, drafts: Arc<Drafts>) -> Comparison<'a> {
        self.regzips = Arc::clone(&drafts.regzips);
        self.drafts = drafts;
        self.bases = self.choose_bases();
        self
    }

    /// Names that may be one name at the destination, to ask it about.
    pub fn suspects(&self) -> Vec<Pair> {
        pairs(self.source, self.state, &self.known)
    }

    /// Whether the destination lists the other path of a pair.
    pub fn is_listed(&self, other: Other) -> bool {
        match other {
            Other::Source(at) => self.known[at].is_some(),
            Other::Known(_) => true,
        }
    }

    /// The two paths of a pair.
    pub fn spellings(&self, pair: Pair) -> (&'a RelPath, &'a RelPath) {
        let other = match pair.other {
            Other::Source(at) => &self.source[at].entry,
            Other::Known(known) => &self.state.entries[known as usize].entry,
        };
        (&self.source[pair.new].entry.path, &other.path)
    }

    /// Takes which pairs are one name at the destination. What the source has twice can't both be there; nor can what
    /// it has and what a filter protects, or a directory and something else.
    pub fn aliased(mut self, pairs: &[Pair]) -> Result<Comparison<'a>, Vec<OneName>> {
        let mut clashes = Vec::new();
        for pair in pairs {
            let local = &self.source[pair.new];
            let taken = match pair.other {
                Other::Known(known) => self.stands_in(local, known).then_some(known),
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
            let remote = &self.state.entries[known as usize];
            self.same[at] = match same_content(&self.source[at], remote, self.policy.rule) {
                Same::Yes => Same::Yes,
                _ => Same::No,
            };
        }
        if clashes.is_empty() { Ok(self) } else { Err(clashes) }
    }

    fn stands_in(&self, local: &SourceEntry, known: u32) -> bool {
        let entry = &self.state.entries[known as usize].entry;
        let is_dir = entry.kind == Kind::Dir;
        let is_protected = self.policy.filter.covers(entry.path.as_bytes(), is_dir);
        is_dir == (local.entry.kind == Kind::Dir) && !is_protected
    }

    /// What the sender knows by itself.
    pub fn drafts(&self) -> &Drafts {
        &self.drafts
    }

    /// `.gz` files that may be made from their plain siblings, by position in the source.
    pub fn regzips(&self) -> &HashMap<usize, Regzip> {
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

    /// What the planner was told.
    pub fn policy(&self) -> &'a Policy {
        self.policy
    }

    /// Which ways files may take.
    pub fn recipes(&self) -> Recipes {
        self.recipes
    }

    /// The path at a position of the state.
    pub fn known_path(&self, known: u32) -> Option<&'a RelPath> {
        self.state.entries.get(known as usize).map(|remote| &remote.entry.path)
    }

    /// Positions of the source's files whose content the destination is known to lack.
    pub fn changed(&self) -> Vec<usize> {
        (0..self.source.len()).filter(|&at| self.same[at] == Same::No && self.is_new(at)).collect()
    }

    /// Whether a source entry is a file with content that is nowhere at the destination, as far as it is known.
    fn is_new(&self, at: usize) -> bool {
        let local = &self.source[at];
        let key = local.digest.map(|digest| digest.short()).zip(local.entry.file_size());
        key.is_some_and(|key| !self.recipes.copy || self.contents.find(key).is_none())
    }

    /// Where in the state a regular file stands at the path of a source file.
    pub fn standing_position(&self, at: usize) -> Option<u32> {
        self.standing(at).and(self.known[at])
    }

    /// The file of the state with the same logical name as a source file.
    pub fn same_logical_name(&self, at: usize) -> Option<u32> {
        self.names.find(&self.source[at].entry, &self.policy.names)
    }

    /// Positions of the state's files that the source does not have.
    pub fn surplus(&self) -> impl Iterator<Item = u32> {
        let mut known = self.known.iter().flatten().peekable();
        (0..self.state.entries.len() as u32).filter(move |at| known.next_if_eq(&at).is_none())
    }

    fn choose_bases(&self) -> Vec<Option<Asked>> {
        let renames = self.drafts.renames.iter();
        let renamed: HashMap<&RelPath, u32> =
            renames.map(|(path, rename)| (path, rename.known)).collect();
        // Whether these are the same as they are is asked already.
        let asked = self.known.iter().zip(&self.same).filter(|(_, same)| **same == Same::Ask);
        let asked: HashSet<u32> = asked.filter_map(|(known, _)| *known).collect();
        let mut expected = HashSet::new();
        let mut choose = |at: usize| {
            let local = &self.source[at];
            let drafted = self.drafts.files.contains_key(&at) || self.regzips.contains_key(&at);
            if self.same[at] == Same::Yes || drafted || !self.is_new(at) {
                return None;
            }
            let known = self
                .standing_position(at)
                .or_else(|| renamed.get(&local.entry.path).copied())
                .or_else(|| self.same_logical_name(at))?;
            let basis_bytes = self.state.entries.get(known as usize)?.entry.file_size()?;
            let compressed = is_precompressed(local.entry.path.as_bytes());
            let rewritten = self.drafts.rewriter.is_some()
                && self.recipes.rewrite
                && !asked.contains(&known)
                && !compressed;
            let spec = wanted(basis_bytes, local.entry.file_size()?, compressed, rewritten);
            let spec = spec.filter(|_| self.recipes.delta);
            let expects = rewritten && expected.insert(known);
            (expects || spec.is_some()).then_some(Asked { known, rewritten, expects, spec })
        };
        (0..self.source.len()).map(&mut choose).collect()
    }

    /// The regular file that stands at the path of a source file.
    pub(super) fn standing(&self, at: usize) -> Option<&'a Entry> {
        let remote = &self.state.entries.get(self.known[at]? as usize)?.entry;
        matches!(remote.kind, Kind::File { .. }).then_some(remote)
    }

    /// What must be asked, each file once, in order.
    pub fn questions(&self) -> Vec<Ask> {
        let mut asks = BTreeMap::new();
        for (at, local) in self.source.iter().enumerate() {
            if let Some(Asked { known, rewritten, expects, spec }) = self.bases[at] {
                let ask = ask(&mut asks, known);
                ask.signature = spec.or(ask.signature);
                ask.rewritten |= rewritten;
                if expects {
                    ask.expected = local.digest.map(|digest| digest.short());
                }
            }
            if let (Same::Ask, Some(known)) = (self.same[at], self.known[at]) {
                ask(&mut asks, known).expected = local.digest.map(|digest| digest.short());
            }
        }
        asks.into_values().collect()
    }

    /// The position in the source of a path.
    pub fn position_of(&self, path: &RelPath) -> Option<usize> {
        self.source.binary_search_by(|local| local.entry.path.cmp(path)).ok()
    }

    /// The size of a file of the state, in bytes.
    pub fn known_bytes(&self, known: u32) -> u64 {
        let remote = self.state.entries.get(known as usize);
        remote.and_then(|remote| remote.entry.file_size()).unwrap_or(0)
    }
}

fn ask(asks: &mut BTreeMap<u32, Ask>, known: u32) -> &mut Ask {
    asks.entry(known).or_insert(Ask { known, expected: None, signature: None, rewritten: false })
}

/// For each source entry, where its path is in the state: a merge of two sorted lists.
fn positions(source: &[SourceEntry], state: &State) -> Vec<Option<u32>> {
    let mut at = 0;
    let position = |local: &SourceEntry| {
        while state.entries.get(at).is_some_and(|remote| remote.entry.path < local.entry.path) {
            at += 1;
        }
        let found = state.entries.get(at)?.entry.path == local.entry.path;
        found.then_some(at as u32)
    };
    source.iter().map(position).collect()
}
