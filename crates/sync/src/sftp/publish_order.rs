//! The order in which a plan is carried out: a pure function of the plan and the state.

use std::collections::{BTreeMap, BTreeSet};

use assetsync_core::entry::Kind;
use assetsync_core::index::{ActionIndex, EntryIndex, Index};
use assetsync_core::path::RelPath;
use assetsync_core::plan::{ActionKind, FileAction, Plan, PublishRank};
use assetsync_core::recipe::Recipe;
use assetsync_core::state::State;

use super::names::is_open;

/// Indices of a plan's actions, in the order in which they are carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishOrder {
    /// Files whose content is uploaded.
    pub uploads: Vec<ActionIndex>,
    /// Links that are created in the staging area.
    pub links: Vec<ActionIndex>,
    /// Paths that are only renamed to another spelling, deepest first.
    pub respelled: Vec<ActionIndex>,
    /// Directories of the state in which something changes and that are not writable, parents
    /// first.
    pub opened: Vec<EntryIndex>,
    /// Those of them that get their mode back at the end.
    pub closed: Vec<EntryIndex>,
    /// Directories that are created, by depth, parents first.
    pub directories: Vec<Vec<NewDir>>,
    /// Files and links that are published, and files that are touched, by rank.
    pub files: [Vec<ActionIndex>; PublishRank::ALL.len()],
    /// Paths that are deleted, by depth, deepest first.
    pub deletes: Vec<Vec<Delete>>,
    /// Directories whose mode is set, deepest first.
    pub modes: Vec<ActionIndex>,
}

/// A directory to create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDir {
    /// Position of the action.
    pub at: ActionIndex,
    /// Whether something that is not a directory has to be replaced.
    pub replaces: bool,
}

/// A path to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete {
    /// Position of the action.
    pub at: ActionIndex,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Turns recipes that need an agent into uploads: over SFTP nothing is copied or patched in place.
pub fn only_uploads(plan: &mut Plan) {
    for action in &mut plan.actions {
        if let ActionKind::File(file) = &mut action.what
            && !matches!(file.recipe, Recipe::Keep | Recipe::Touch)
        {
            file.recipe = Recipe::Whole;
        }
    }
}

impl PublishOrder {
    /// The steps of a plan that [`only_uploads`].
    pub fn of(plan: &Plan, state: &State) -> PublishOrder {
        let mut steps = PublishOrder::default();
        // What was below a directory that makes way for a file or a link goes with it. Its path
        // must not be used any more: through a link it would lead out of the destination.
        let mut replaced: Option<&RelPath> = None;
        let (mut deletes, mut directories) = (BTreeMap::new(), BTreeMap::new());
        let respelled = plan.respelled();
        for (at, action) in Index::enumerate(&plan.actions) {
            let existing = action.known.and_then(|known| known.of(&state.entries));
            let existing = existing.map(|remote| &remote.entry.kind);
            match &action.what {
                ActionKind::Delete
                    if replaced.is_some_and(|above| action.path.starts_with(above)) => {}
                ActionKind::Delete => {
                    let delete = Delete { at, is_dir: existing == Some(&Kind::Dir) };
                    of_depth(&mut deletes, &action.path).push(delete);
                }
                ActionKind::Respell { .. } => steps.respelled.push(at),
                // Without an agent there is no deploy, and so no pruning.
                ActionKind::Prune => {}
                ActionKind::Dir { .. } if respelled.contains(&action.path) => steps.modes.push(at),
                ActionKind::Dir { .. } => {
                    if existing != Some(&Kind::Dir) {
                        let new = NewDir { at, replaces: existing.is_some() };
                        of_depth(&mut directories, &action.path).push(new);
                    }
                    steps.modes.push(at);
                }
                ActionKind::Symlink { .. } => {
                    replaced = Some(&action.path);
                    steps.links.push(at);
                    steps.files[PublishRank::Ordinary as usize].push(at);
                }
                ActionKind::File(file) => {
                    replaced = Some(&action.path);
                    steps.file(at, file);
                }
            }
        }
        steps.respelled.reverse();
        steps.modes.reverse();
        steps.directories = directories.into_values().collect();
        steps.deletes = deletes.into_values().rev().collect();
        (steps.opened, steps.closed) = opened(plan, state);
        steps
    }

    fn file(&mut self, at: ActionIndex, file: &FileAction) {
        if file.recipe.has_content() {
            self.uploads.push(at);
        }
        self.files[file.rank as usize].push(at);
    }
}

/// The list for the depth of a path.
fn of_depth<'m, T>(levels: &'m mut BTreeMap<usize, Vec<T>>, path: &RelPath) -> &'m mut Vec<T> {
    levels.entry(path.names().count()).or_default()
}

/// Directories that must be made writable, and those of them that get their mode back: a directory
/// in which a name changes, or which is itself moved.
fn opened(plan: &Plan, state: &State) -> (Vec<EntryIndex>, Vec<EntryIndex>) {
    let closed_dir = |path: &RelPath| {
        let at = state.entries.binary_search_by(|remote| remote.entry.path.cmp(path)).ok()?;
        let entry = &state.entries[at].entry;
        (entry.kind == Kind::Dir && !is_open(entry.mode)).then_some(Index::at(at))
    };
    let is_dir = |known: Option<EntryIndex>| {
        let existing = known.and_then(|known| known.of(&state.entries));
        existing.is_some_and(|remote| remote.entry.kind == Kind::Dir)
    };
    let (mut opened, mut planned) = (BTreeSet::new(), BTreeSet::new());
    for action in &plan.actions {
        let itself = closed_dir(&action.path);
        planned.extend(itself);
        let changes_names = match &action.what {
            ActionKind::File(file) => file.recipe.has_content(),
            ActionKind::Dir { .. } => !is_dir(action.known),
            ActionKind::Prune => false,
            _ => true,
        };
        if changes_names {
            opened.extend(action.path.parent().as_ref().and_then(closed_dir));
            opened.extend(itself);
        }
    }
    let closed = opened.difference(&planned).copied().collect();
    (opened.into_iter().collect(), closed)
}

#[cfg(test)]
mod tests {
    use assetsync_core::digest::Digest;
    use assetsync_core::entry::{Entry, Mtime};
    use assetsync_core::plan::Action;
    use assetsync_core::recipe::Basis;
    use assetsync_core::state::RemoteEntry;

    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::new(text.as_bytes()).unwrap()
    }

    fn existing(text: &str, kind: Kind) -> RemoteEntry {
        let entry = Entry { path: path(text), kind, mode: 0o755, mtime: Mtime::default() };
        RemoteEntry { entry, digest: None }
    }

    fn action(text: &str, known: Option<u32>, what: ActionKind) -> Action {
        Action { path: path(text), known: known.map(Index::new), what }
    }

    fn file(recipe: Recipe, rank: PublishRank) -> ActionKind {
        let digest = Some(Digest::of(b""));
        let mtime = Mtime::default();
        ActionKind::File(FileAction { size: 0, mode: 0o644, mtime, digest, recipe, rank })
    }

    fn link() -> ActionKind {
        ActionKind::Symlink { target: b"t".to_vec(), mtime: Mtime::default() }
    }

    #[test]
    fn everything_has_its_turn() {
        let state = State {
            entries: vec![
                existing("d", Kind::Dir),
                existing("d/x", Kind::Dir),
                existing("d/x/y", Kind::File { size: 1 }),
                existing("f", Kind::File { size: 1 }),
                existing("t", Kind::File { size: 1 }),
            ],
            partials: Vec::new(),
        };
        let dir = || ActionKind::Dir { mode: 0o755 };
        let copy = Recipe::Copy { from: Basis::Planned(Index::new(0)) };
        let actions = vec![
            action("d", Some(0), dir()),
            action("d/x", Some(1), ActionKind::Delete),
            action("d/x/y", Some(2), ActionKind::Delete),
            action("f", Some(3), dir()),
            action("f/index.html", None, file(Recipe::Whole, PublishRank::Naming)),
            action("f/n", None, dir()),
            action("f/z", None, file(copy, PublishRank::Fingerprinted)),
            action("l", None, link()),
            action("t", Some(4), file(Recipe::Touch, PublishRank::ServiceWorker)),
        ];
        let mut plan = Plan { actions, ..Plan::default() };
        only_uploads(&mut plan);
        let expected = PublishOrder {
            uploads: [4, 6].map(Index::new).to_vec(),
            links: vec![Index::new(7)],
            respelled: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            directories: vec![
                vec![NewDir { at: Index::new(3), replaces: true }],
                vec![NewDir { at: Index::new(5), replaces: false }],
            ],
            files: [
                vec![Index::new(6)],
                vec![Index::new(7)],
                vec![Index::new(4)],
                vec![Index::new(8)],
            ],
            deletes: vec![
                vec![Delete { at: Index::new(2), is_dir: false }],
                vec![Delete { at: Index::new(1), is_dir: true }],
            ],
            modes: [5, 3, 0].map(Index::new).to_vec(),
        };
        assert_eq!(PublishOrder::of(&plan, &state), expected);
    }

    #[test]
    fn directories_in_which_names_change_are_opened_and_closed() {
        let mut entries = vec![
            existing("gone", Kind::Dir),
            existing("gone/f", Kind::File { size: 1 }),
            existing("kept", Kind::Dir),
            existing("kept/f", Kind::File { size: 1 }),
            existing("open", Kind::Dir),
            existing("touched", Kind::Dir),
            existing("touched/f", Kind::File { size: 1 }),
        ];
        for remote in entries.iter_mut().filter(|remote| remote.entry.path != path("open")) {
            remote.entry.mode = 0o555;
        }
        let state = State { entries, partials: Vec::new() };
        let actions = vec![
            action("gone", Some(0), ActionKind::Delete),
            action("gone/f", Some(1), ActionKind::Delete),
            action("kept/f", Some(3), file(Recipe::Whole, PublishRank::Ordinary)),
            action("open/f", None, file(Recipe::Whole, PublishRank::Ordinary)),
            action("touched/f", Some(6), file(Recipe::Touch, PublishRank::ServiceWorker)),
        ];
        let plan = Plan { actions, ..Plan::default() };
        assert_eq!(opened(&plan, &state), ([0, 2].map(Index::new).to_vec(), vec![Index::new(2)]));
    }

    #[test]
    fn nothing_is_deleted_by_a_path_that_leads_through_a_new_link() {
        let entries = vec![
            existing("a", Kind::Dir),
            existing("a/b", Kind::File { size: 1 }),
            existing("a.b", Kind::File { size: 1 }),
        ];
        let state = State { entries, partials: Vec::new() };
        for replacement in [link(), file(Recipe::Whole, PublishRank::Ordinary)] {
            let actions = vec![
                action("a", Some(0), replacement),
                action("a/b", Some(1), ActionKind::Delete),
                action("a.b", Some(2), ActionKind::Delete),
            ];
            let plan = Plan { actions, ..Plan::default() };
            let deletes = PublishOrder::of(&plan, &state).deletes;
            assert_eq!(deletes, [[Delete { at: Index::new(2), is_dir: false }]]);
        }
    }
}
