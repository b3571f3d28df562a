//! A plan's actions as rsync's `--itemize-changes` prints them.
//!
//! A line is eleven letters and a path. The first letter: `<` content is sent, `c` created at the
//! destination (a directory, a symlink, or a copy), `.` only attributes change. The second: `f`,
//! `d` or `L`. The rest: `+` for new paths, else `c` content, `t` time, `p` permissions, each if
//! the plan changes it. Deletes are `*deleting`, new spellings of a name `*respelling`.

use assetsync_core::plan::{Action, ActionKind, FileAction};
use assetsync_core::recipe::Recipe;
use assetsync_core::text;

/// The line of an action, without its newline.
pub fn line(action: &Action) -> String {
    let (code, path) = (code(action), &action.path);
    match &action.what {
        ActionKind::Dir { .. } => format!("{code} {path}/"),
        ActionKind::Symlink { target, .. } => format!("{code} {path} -> {}", text::name(target)),
        ActionKind::Respell { to } => format!("{code} {path} -> {to}"),
        ActionKind::File(_) | ActionKind::Delete | ActionKind::Prune => format!("{code} {path}"),
    }
}

/// The eleven letters.
pub fn code(action: &Action) -> &'static str {
    let is_new = action.known.is_none();
    match &action.what {
        ActionKind::Delete | ActionKind::Prune => "*deleting  ",
        ActionKind::Respell { .. } => "*respelling",
        ActionKind::Dir { .. } if is_new => "cd+++++++++",
        ActionKind::Dir { .. } => ".d...p.....",
        ActionKind::Symlink { .. } if is_new => "cL+++++++++",
        ActionKind::Symlink { .. } => "cLc.t......",
        ActionKind::File(file) => file_code(file, is_new),
    }
}

fn file_code(file: &FileAction, is_new: bool) -> &'static str {
    match (file.recipe, is_new) {
        (Recipe::Keep, _) => ".f         ",
        (Recipe::Touch, _) => ".f..t......",
        (Recipe::Copy { .. }, true) => "cf+++++++++",
        (Recipe::Copy { .. }, false) => "cfc.t......",
        (_, true) => "<f+++++++++",
        (_, false) => "<fc.t......",
    }
}

#[cfg(test)]
mod tests {
    use assetsync_core::entry::Mtime;
    use assetsync_core::index::Index;
    use assetsync_core::path::RelPath;
    use assetsync_core::plan::PublishRank;
    use assetsync_core::recipe::{Basis, Reference};

    use super::*;

    fn file(recipe: Recipe) -> ActionKind {
        let (mtime, mode) = (Mtime::default(), 0o644);
        ActionKind::File(FileAction {
            size: 1,
            mode,
            mtime,
            digest: None,
            recipe,
            rank: PublishRank::Ordinary,
        })
    }

    #[test]
    fn lines_are_as_in_rsync() {
        let link = || ActionKind::Symlink { target: b"to\x1b".to_vec(), mtime: Mtime::default() };
        let (copy, delta) = (
            Recipe::Copy { from: Basis::Existing(Index::new(0)) },
            Recipe::Delta {
                reference: Reference { basis: Basis::Existing(Index::new(0)), rewritten: false },
                block_bytes: 1024,
            },
        );
        let rows = [
            (None, file(Recipe::Whole), "<f+++++++++ a\\nb"),
            (Some(1), file(delta), "<fc.t...... a\\nb"),
            (None, file(copy), "cf+++++++++ a\\nb"),
            (Some(1), file(copy), "cfc.t...... a\\nb"),
            (Some(1), file(Recipe::Touch), ".f..t...... a\\nb"),
            (None, ActionKind::Dir { mode: 0o755 }, "cd+++++++++ a\\nb/"),
            (Some(1), ActionKind::Dir { mode: 0o755 }, ".d...p..... a\\nb/"),
            (None, link(), "cL+++++++++ a\\nb -> to\\u{1b}"),
            (Some(1), link(), "cLc.t...... a\\nb -> to\\u{1b}"),
            (Some(1), ActionKind::Delete, "*deleting   a\\nb"),
        ];
        for (known, what, expected) in rows {
            let known = known.map(Index::new);
            let action = Action { path: RelPath::new(b"a\nb").unwrap(), known, what };
            assert_eq!(line(&action), expected);
            assert_eq!(code(&action).len(), 11);
        }
    }
}
