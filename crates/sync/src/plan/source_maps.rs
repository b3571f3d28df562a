//! Source maps where there were none: what was left out of earlier builds, perhaps on purpose.

use std::fmt;

use assetsync_core::path::RelPath;
use assetsync_core::plan::Plan;
use assetsync_core::state::State;

/// Ends of what has maps.
const WITH_MAPS: [&[u8]; 3] = [b".js", b".mjs", b".css"];

/// Source maps that a push brings to a destination that has scripts or stylesheets, and no maps.
#[derive(Debug, PartialEq, Eq)]
pub struct NewSourceMaps<'p> {
    first: &'p RelPath,
    count: usize,
}

impl<'p> NewSourceMaps<'p> {
    /// Finds those of a plan.
    pub fn of(plan: &'p Plan, state: &State) -> Option<NewSourceMaps<'p>> {
        let existing = || state.entries.iter().map(|remote| remote.entry.path.as_bytes());
        let has_content = existing().any(|path| WITH_MAPS.iter().any(|end| path.ends_with(end)));
        if !has_content || existing().any(|path| path.ends_with(b".map")) {
            return None;
        }
        let planned = plan.actions.iter().filter(|action| action.file().is_some());
        let mut maps = planned.map(|action| &action.path).filter(|path| is_map(path));
        let first = maps.next()?;
        Some(NewSourceMaps { first, count: 1 + maps.count() })
    }
}

fn is_map(path: &RelPath) -> bool {
    path.as_bytes()
        .strip_suffix(b".map")
        .is_some_and(|of| WITH_MAPS.iter().any(|end| of.ends_with(end)))
}

impl fmt::Display for NewSourceMaps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NewSourceMaps { first, count } = self;
        match count {
            1 => write!(f, "{first} is a source map: it shows")?,
            _ => write!(f, "{first} and {} more are source maps: they show", count - 1)?,
        }
        write!(f, " the sources to visitors, and the destination had none before")
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::{Entry, Kind, Mtime};
    use assetsync_core::plan::{Action, ActionKind, FileAction, PublishRank};
    use assetsync_core::recipe::Recipe;
    use assetsync_core::state::RemoteEntry;

    use super::*;

    fn path(name: &str) -> RelPath {
        RelPath::new(name.as_bytes()).unwrap()
    }

    fn warning(planned: &[&str], existing: &[&str]) -> Option<String> {
        let (kind, mode, mtime) = (Kind::File { size: 1 }, 0o644, Mtime::default());
        let entry = |name: &&str| RemoteEntry {
            entry: Entry { path: path(name), kind: kind.clone(), mode, mtime },
            digest: None,
        };
        let entries = existing.iter().map(entry).collect();
        let file = || FileAction {
            size: 1,
            mode,
            mtime,
            digest: None,
            recipe: Recipe::Whole,
            rank: PublishRank::Ordinary,
        };
        let action =
            |name: &&str| Action { path: path(name), known: None, what: ActionKind::File(file()) };
        let plan = Plan { actions: planned.iter().map(action).collect(), ..Plan::default() };
        let state = State { entries, partials: Vec::new() };
        NewSourceMaps::of(&plan, &state).map(|maps| maps.to_string())
    }

    #[test]
    fn maps_are_told_of_where_there_were_none() {
        let new = ["a.js", "a.js.map", "b.css.map", "world.map"];
        let text = "a.js.map and 1 more are source maps: they show the sources to visitors, and the \
                    destination had none before";
        assert_eq!(warning(&new, &["a.js"]), Some(text.to_owned()));
        assert!(
            warning(&["a.mjs.map"], &["b.css"])
                .unwrap()
                .starts_with("a.mjs.map is a source map: it")
        );
        assert_eq!(warning(&new, &["a.js", "old.js.map"]), None);
        assert_eq!(warning(&new, &[]), None);
        assert_eq!(warning(&new, &["index.html"]), None);
        assert_eq!(warning(&["a.js", "world.map"], &["a.js"]), None);
    }
}
