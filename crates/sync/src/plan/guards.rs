//! Deletes that a push refuses: more than it is allowed to, and, where no push has completed
//! before, what is no earlier version of anything in the source. There the destination may be
//! another directory than the user means.

use std::collections::HashSet;
use std::fmt;

use assetsync_core::entry::{Entry, Kind};
use assetsync_core::index::EntryIndex;
use assetsync_core::path::RelPath;
use assetsync_core::plan::{Action, ActionKind, Plan};
use assetsync_core::state::State;

use crate::options::Options;
use crate::scan::logical_name::{FingerprintRules, LogicalName};
use crate::scan::source::Source;

/// How many paths are named.
const EXAMPLES: usize = 5;

/// So many files may always be deleted.
const FEW: usize = 10;

/// Extensions that build tools and web servers add to a file's name.
const BESIDE: [&[u8]; 4] = [b".gz", b".br", b".zst", b".map"];

/// Why a push is refused because of what it would delete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than is allowed.
    #[error("{planned} paths would be deleted, {allowed} are allowed")]
    TooMany {
        /// How many the plan deletes.
        planned: u64,
        /// How many are allowed.
        allowed: u64,
    },
    /// Most of what is there, which is no earlier version of anything in the source.
    #[error(
        "{planned} of {present} files at the destination would be deleted, and are not earlier \
         versions of files in the source"
    )]
    Most {
        /// How many of these files the plan deletes.
        planned: u64,
        /// How many files there are.
        present: u64,
        /// How many paths the plan deletes in all.
        deletes: u64,
    },
    /// Paths that are no earlier version of anything in the source.
    #[error("{0}")]
    Foreign(Foreign),
}

/// An existing directory where a file has to go, and which may not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstruction {
    /// The directory that would have to go.
    pub path: RelPath,
}

/// Paths at a destination where no push has completed, which are no earlier version of anything in
/// the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// How many paths the plan deletes.
    pub planned: u64,
    /// How many of them are foreign. Directories that only hold other deleted paths are not
    /// counted.
    pub count: u64,
    /// Some of these.
    pub examples: Vec<RelPath>,
    /// A directory of the destination that is called like the source: it may be the one that was
    /// meant.
    pub namesake: Option<RelPath>,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign { planned, count, examples, .. } = self;
        let names: Vec<String> = examples.iter().map(ToString::to_string).collect();
        let more = count.saturating_sub(names.len() as u64);
        write!(
            f,
            "No push to this directory has completed before, and of {planned} paths that would be \
             deleted, {count} are not earlier versions of files in the source: {}",
            names.join(", ")
        )?;
        if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
    }
}

/// Source and destination, as they are before the plan is carried out.
pub struct Contact<'a> {
    /// The source.
    pub source: &'a Source,
    /// The state of the destination.
    pub state: &'a State,
    /// A push to it has completed before.
    pub pushed_before: bool,
}

impl Contact<'_> {
    /// Why the plan may not be carried out, if so. An allowed number of deletes says that they are
    /// meant.
    pub fn refusal(&self, plan: &Plan, options: &Options) -> Option<Refusal> {
        let planned = deletes(plan);
        if let Some(allowed) = options.max_delete {
            return (planned > allowed).then_some(Refusal::TooMany { planned, allowed });
        }
        if planned == 0 {
            return None;
        }
        if self.pushed_before {
            return self.most(plan, options);
        }
        let foreign = foreign(plan, &self.source.entries, self.state, &options.policy.names);
        let (count, examples) = (foreign.len() as u64, foreign.into_iter().take(EXAMPLES));
        let examples: Vec<RelPath> = examples.cloned().collect();
        let namesake = self.namesake();
        let refusal = Foreign { planned, count, examples, namesake };
        (count > 0).then_some(Refusal::Foreign(refusal))
    }

    /// Whether a later push deletes most of what is there: the source may be another one than the
    /// user means, or half built.
    fn most(&self, plan: &Plan, options: &Options) -> Option<Refusal> {
        let is_file = |entry: &Entry| entry.kind != Kind::Dir;
        let present = self.state.entries.iter().filter(|remote| is_file(&remote.entry)).count();
        let most = (present / 2).max(FEW) as u64;
        let deletes = deletes(plan);
        if !options.policy.delete || options.allow_empty || deletes <= most {
            return None;
        }
        let paths: HashSet<_> =
            foreign(plan, &self.source.entries, self.state, &options.policy.names)
                .into_iter()
                .collect();
        let gone = |entry: &Entry| is_file(entry) && paths.contains(&entry.path);
        let planned = self.state.entries.iter().filter(|remote| gone(&remote.entry)).count() as u64;
        (planned > most).then_some(Refusal::Most { planned, present: present as u64, deletes })
    }

    /// The directory that rsync would have pushed to: SRC without a slash at its end is copied into
    /// DEST.
    fn namesake(&self) -> Option<RelPath> {
        use std::os::unix::ffi::OsStrExt;
        let path = RelPath::new(self.source.path.file_name()?.as_bytes()).ok()?;
        let is_dir = |entry: &&Entry| entry.path == path && entry.kind == Kind::Dir;
        let existing = self.state.entries.iter().map(|remote| &remote.entry).find(is_dir)?;
        let here = self.source.entries.iter().any(|entry| entry.path == path);
        (!here).then(|| existing.path.clone())
    }
}

/// How many paths a plan deletes.
pub fn deletes(plan: &Plan) -> u64 {
    plan.actions.iter().filter(|action| is_delete(action)).count() as u64
}

fn is_delete(action: &Action) -> bool {
    matches!(action.what, ActionKind::Delete | ActionKind::Prune)
}

/// Deleted paths that are no earlier version of anything in the source, in tree order.
fn foreign<'p>(
    plan: &'p Plan,
    source: &[Entry],
    state: &State,
    rules: &FingerprintRules,
) -> Vec<&'p RelPath> {
    let files = source.iter().filter(|entry| entry.kind != Kind::Dir).map(|entry| &entry.path);
    let files: HashSet<&RelPath> = files.collect();
    let wanted: HashSet<Vec<u8>> =
        files.iter().map(|path| lasting(path.as_bytes(), rules)).collect();
    let is_foreign = |action: &&Action| {
        let entry = |known: EntryIndex| Some(&known.of(&state.entries)?.entry.kind);
        match action.known.and_then(entry) {
            Some(Kind::Dir) => action.known.is_some_and(|known| is_empty(known, state)),
            Some(Kind::Special) => true,
            _ => !is_earlier_version(action.path.as_bytes(), &wanted, rules),
        }
    };
    let deleted = plan.actions.iter().filter(|action| is_delete(action));
    let deleted = deleted.filter(|action| !is_in_replaced_dir(&action.path, &files));
    deleted.filter(is_foreign).map(|action| &action.path).collect()
}

/// Whether nothing is in the directory with this index in the state.
fn is_empty(dir: EntryIndex, state: &State) -> bool {
    let path = &state.entries[dir].entry.path;
    dir.next().of(&state.entries).is_none_or(|next| !next.entry.path.starts_with(path))
}

/// Whether the source has a file where a directory above `path` is: the file is its next version.
fn is_in_replaced_dir(path: &RelPath, files: &HashSet<&RelPath>) -> bool {
    std::iter::successors(path.parent(), RelPath::parent).any(|dir| files.contains(&dir))
}

/// Whether the source has the file that a path names, with any fingerprint, or the file that it
/// belongs to.
fn is_earlier_version(path: &[u8], wanted: &HashSet<Vec<u8>>, rules: &FingerprintRules) -> bool {
    let mut rest = Some(path);
    while let Some(path) = rest {
        if wanted.contains(&lasting(path, rules)) {
            return true;
        }
        rest = BESIDE.into_iter().find_map(|suffix| path.strip_suffix(suffix));
    }
    false
}

/// The part of a path that stays the same from build to build.
fn lasting(path: &[u8], rules: &FingerprintRules) -> Vec<u8> {
    LogicalName::of(path, rules).map_or_else(|| path.to_vec(), |name| name.path)
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::state::RemoteEntry;

    use assetsync_core::index::Index;

    use super::*;
    use crate::compare::policy::Policy;

    /// An entry by its path; one that ends in a slash is a directory.
    fn entry(name: &str) -> Entry {
        let kind = match name.strip_suffix('/') {
            Some(_) => Kind::Dir,
            None if name.ends_with('|') => Kind::Special,
            None => Kind::File { size: 1 },
        };
        let path = RelPath::new(name.trim_end_matches(['/', '|']).as_bytes()).unwrap();
        Entry { path, kind, mode: 0o755, mtime: Mtime::default() }
    }

    fn state(names: &[&str]) -> State {
        let mut entries: Vec<RemoteEntry> =
            names.iter().map(|name| RemoteEntry { entry: entry(name), digest: None }).collect();
        entries.sort_by(|a, b| a.entry.path.cmp(&b.entry.path));
        State { entries, partials: Vec::new() }
    }

    /// A plan that deletes everything but `kept`.
    fn plan(state: &State, kept: &[&str]) -> Plan {
        let deleted = Index::enumerate(&state.entries).filter_map(|(at, remote)| {
            let path = remote.entry.path.clone();
            let stays = kept.iter().any(|kept| path.as_bytes() == kept.as_bytes());
            let known = Some(at);
            (!stays).then_some(Action { path, known, what: ActionKind::Delete })
        });
        Plan { actions: deleted.collect(), ..Plan::default() }
    }

    fn found(source: &[&str], there: &[&str]) -> Vec<String> {
        let (source, state) =
            (source.iter().map(|name| entry(name)).collect::<Vec<_>>(), state(there));
        let plan = plan(&state, &[]);
        let found = foreign(&plan, &source, &state, &FingerprintRules::default());
        found.into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn earlier_versions_are_told_from_what_is_foreign() {
        let none: &[&str] = &[];
        let table: [(&[&str], &[&str], &[&str]); 14] = [
            (&["app-3f2a91c0.js"], &["app-77b01d5e.js"], none),
            (&["app-3f2a91c0.js"], &["app-77b01d5e.js.map", "app-77b01d5e.js.map.gz"], none),
            (&["app-3f2a91c0.js"], &["app.js", "app.js.br"], none),
            (&["app.js"], &["app-77b01d5e.js", "app-77b01d5e.js.zst"], none),
            (&["d/app-3f2a91c0.js"], &["d/", "d/app-77b01d5e.js"], none),
            (&["app-3f2a91c0.js"], &["d/", "d/app-77b01d5e.js"], &["d/app-77b01d5e.js"]),
            (&["app-3f2a91c0.js"], &["old/", "old/empty/"], &["old/empty"]),
            (&["app-3f2a91c0.js"], &["other-77b01d5e.js", ".ssh"], &[".ssh", "other-77b01d5e.js"]),
            (&["a.js"], &["a.js|", ".gz", "d/", "d/.map"], &[".gz", "a.js", "d/.map"]),
            (&["app.js/"], &["app-77b01d5e.js"], &["app-77b01d5e.js"]),
            (
                &[".sprockets-manifest-0123456789abcdef0123456789abcdef.json"],
                &[".sprockets-manifest-fedcba9876543210fedcba9876543210.json"],
                none,
            ),
            (&["m"], &["m/", "m/empty/", "m/x/", "m/x/y.js"], none),
            (&["index.html"], &["index.nginx-debian.html"], &["index.nginx-debian.html"]),
            (&["x"], none, none),
        ];
        for (source, there, expected) in table {
            assert_eq!(found(source, there), expected, "{there:?} for {source:?}");
        }
    }

    #[test]
    fn a_directory_with_what_stays_in_it_is_not_counted() {
        let state = state(&["d/", "d/excluded"]);
        let plan = plan(&state, &["d/excluded"]);
        assert!(foreign(&plan, &[], &state, &FingerprintRules::default()).is_empty());
    }

    /// The refusal for a source `assets` with one file.
    fn refusal(there: &[&str], pushed_before: bool, max_delete: Option<u64>) -> Option<Refusal> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("assets");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("app-3f2a91c0.js"), "new").unwrap();
        let source = Source::scan(&root, &Policy::default()).unwrap();
        let state = state(there);
        let policy = Policy { delete: true, ..Policy::default() };
        let options = Options { max_delete, policy, ..Options::default() };
        let contact = Contact { source: &source, state: &state, pushed_before };
        contact.refusal(&plan(&state, &[]), &options)
    }

    #[test]
    fn foreign_paths_are_refused_on_first_contact_unless_their_number_is_allowed() {
        let there = ["a", "app-77b01d5e.js", "assets/", "assets/x", "b", "c", "d", "e"];
        let path = |name: &str| RelPath::new(name.as_bytes()).unwrap();
        let examples = ["a", "assets/x", "b", "c", "d"].map(path).to_vec();
        let namesake = Some(path("assets"));
        let foreign = Foreign { planned: 8, count: 6, examples, namesake };
        let text = foreign.to_string();
        assert!(
            text.ends_with(
                "6 are not earlier versions of files in the source: a, assets/x, b, c, d and 1 more"
            ),
            "{text}"
        );
        let too_many = |allowed| Some(Refusal::TooMany { planned: 8, allowed });
        let table = [
            (false, None, Some(Refusal::Foreign(foreign))),
            (false, Some(7), too_many(7)),
            (false, Some(0), too_many(0)),
            (false, Some(8), None),
            (true, None, None),
            (true, Some(7), too_many(7)),
        ];
        for (pushed_before, max_delete, expected) in table {
            let refused = refusal(&there, pushed_before, max_delete);
            assert_eq!(refused, expected, "{pushed_before} {max_delete:?}");
        }
        assert_eq!(refusal(&["app-77b01d5e.js"], false, None), None);
        assert_eq!(refusal(&[], false, Some(0)), None);
    }

    #[test]
    fn most_of_what_is_there_is_not_deleted_unless_its_number_is_allowed() {
        let names: Vec<String> = (0..40).map(|number| format!("file{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let earlier: Vec<String> =
            (0..40).map(|number| format!("app-{:08x}.js", number + 0x77b0_1d5e)).collect();
        let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let most = |planned, present| Some(Refusal::Most { planned, present, deletes: present });
        assert_eq!(refusal(&names, true, None), most(40, 40));
        assert_eq!(refusal(&names, true, Some(40)), None);
        assert_eq!(refusal(&names[..10], true, None), None);
        assert_eq!(refusal(&earlier, true, None), None);
        let half = [&names[..11], &earlier[..12]].concat();
        assert_eq!(refusal(&half, true, None), None);
        let more = [&names[..13], &earlier[..12]].concat();
        assert_eq!(refusal(&more, true, None), most(13, 25));
    }

    #[test]
    fn only_a_directory_is_a_namesake() {
        let namesake = |there: &[&str]| match refusal(there, false, None) {
            Some(Refusal::Foreign(foreign)) => foreign.namesake.map(|path| path.to_string()),
            other => panic!("{other:?}"),
        };
        assert_eq!(namesake(&["assets/", "x"]), Some("assets".to_owned()));
        assert_eq!(namesake(&["assets", "x"]), None);
        assert_eq!(namesake(&["x"]), None);
    }
}
