//! Finds names that may be the same name at the destination, whose file system may ignore case or
//! Unicode composition.
//!
//! Here names are only compared after folding; the agent checks at the destination whether they are
//! the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use assetsync_core::index::{EntryIndex, Index};
use assetsync_core::limits;
use assetsync_core::path::RelPath;
use assetsync_core::state::State;
use unicode_normalization::UnicodeNormalization;

use crate::compare::content_match::SourceEntry;
use crate::compare::source_index::{PerSource, SourceIndex};

/// Two paths that are the same to the destination's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneName {
    /// A path of the source.
    pub path: RelPath,
    /// The other path, in the source or at the destination.
    pub other: RelPath,
}

/// Two paths to ask the destination about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Position in the source of a path that the destination does not list.
    pub new: SourceIndex,
    /// The other path.
    pub other: Other,
}

/// The other path of a [`Pair`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Position in the source.
    Source(SourceIndex),
    /// Position in the state, of a path that the source does not have.
    Existing(EntryIndex),
}

/// The pairs of a source and a state, in tree order of the new paths. `known` has the position in
/// the state of each source entry. At most [`limits::ALIASES`].
pub fn pairs(
    source: &[SourceEntry],
    state: &State,
    known: &PerSource<Option<EntryIndex>>,
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut new: HashMap<Vec<u8>, SourceIndex> = HashMap::new();
    for (at, local) in Index::enumerate(source).filter(|(at, _)| known[*at].is_none()) {
        match new.entry(folded(local.entry.path.as_bytes())) {
            Entry::Vacant(vacant) => drop(vacant.insert(at)),
            Entry::Occupied(first) => {
                pairs.push(Pair { new: at, other: Other::Source(*first.get()) });
            }
        }
    }
    if new.is_empty() {
        return pairs;
    }
    let positions: HashMap<EntryIndex, SourceIndex> =
        known.indices().filter_map(|at| Some((known[at]?, at))).collect();
    for (position, remote) in Index::enumerate(&state.entries) {
        let Some(&at) = new.get(&folded(remote.entry.path.as_bytes())) else { continue };
        let other = match positions.get(&position) {
            Some(&listed) => Other::Source(listed),
            None => Other::Existing(position),
        };
        pairs.push(Pair { new: at, other });
    }
    pairs.truncate(limits::ALIASES);
    pairs
}

/// Folds a path as the least exact file systems do: without case, decomposed, and without the dots
/// and spaces at the end of names that some drop.
fn folded(path: &[u8]) -> Vec<u8> {
    let mut folded = match std::str::from_utf8(path) {
        Ok(text) if !text.is_ascii() => {
            let upper = text.nfkd().flat_map(char::to_uppercase);
            let folded: String = upper.flat_map(char::to_lowercase).nfkd().collect();
            folded.into_bytes()
        }
        _ => path.to_ascii_lowercase(),
    };
    if folded.iter().any(|byte| matches!(byte, b'.' | b' ')) {
        let names = folded.split(|&byte| byte == b'/').map(|name| {
            let end = name.iter().rposition(|byte| !matches!(byte, b'.' | b' '));
            &name[..end.map_or(0, |last| last + 1)]
        });
        folded = names.collect::<Vec<_>>().join(&b'/');
    }
    folded
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::path::RelPath;
    use assetsync_core::state::RemoteEntry;

    use super::*;

    fn local(path: &str) -> SourceEntry {
        let (path, kind) = (RelPath::new(path.as_bytes()).unwrap(), Kind::File { size: 1 });
        let entry = Entry { path, kind, mode: 0o644, mtime: Mtime::default() };
        SourceEntry { entry, digest: None }
    }

    fn state(paths: &[&str]) -> State {
        let remote = |path: &&str| RemoteEntry { entry: local(path).entry, digest: None };
        State { entries: paths.iter().map(remote).collect(), partials: Vec::new() }
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_are_folded_to_one() {
        let rows = [
            ("Logo.png", "logo.PNG", true),
            ("Img/a", "img/a", true),
            ("caf\u{e9}", "cafe\u{301}", true),
            ("CAF\u{c9}", "cafe\u{301}", true),
            ("stra\u{df}e", "STRASSE", true),
            ("\u{212a}", "k", true),
            ("a.", "a", true),
            ("d /x", "d/x", true),
            ("a", "b", false),
            ("cafe", "caf\u{e9}", false),
            ("a/b", "ab", false),
        ];
        for (a, b, expected) in rows {
            assert_eq!(folded(a.as_bytes()) == folded(b.as_bytes()), expected, "{a} {b}");
        }
        assert_eq!(folded(b"A\xff."), b"a\xff");
    }

    #[test]
    fn only_paths_that_are_not_listed_are_suspected() {
        let source = ["App.js", "app.js", "logo.png", "same.css"].map(local);
        let state = state(&["Logo.png", "SAME.css", "app.js", "same.css"]);
        let known =
            [None, Some(2), None, Some(3)].into_iter().map(|known| known.map(Index::new)).collect();
        let expected = [
            Pair { new: Index::new(2), other: Other::Existing(Index::new(0)) },
            Pair { new: Index::new(0), other: Other::Source(Index::new(1)) },
        ];
        assert_eq!(pairs(&source, &state, &known), expected);
        assert_eq!(pairs(&source, &State::default(), &PerSource::from_iter([None; 4])).len(), 1);
        let all = [0, 1, 2, 3].into_iter().map(|known| Some(Index::new(known))).collect();
        assert_eq!(pairs(&source, &state, &all), []);
    }
}
