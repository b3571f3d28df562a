//! What is done with the symlinks of the source, as rsync does it.

use assetsync_core::path::RelPath;
use assetsync_tree::Symlinks;

/// Which symlinks of the source are replaced by what they lead to. By default none is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkRules {
    /// All of them (rsync's `--copy-links`).
    pub copy_all: bool,
    /// Those that lead out of the source (`--copy-unsafe-links`).
    pub copy_unsafe: bool,
    /// Those that lead to a directory (`--copy-dirlinks`).
    pub copy_dirs: bool,
    /// Those that lead out of the source are not pushed (`--safe-links`).
    pub skip_unsafe: bool,
}

/// What is done with one symlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkAction {
    /// It is pushed as a symlink.
    Keep,
    /// What it leads to is pushed in its place.
    Copy,
    /// It is not pushed.
    Skip,
}

impl LinkRules {
    /// Whether any symlink is followed.
    pub(crate) fn follows(self) -> bool {
        self.copy_all || self.copy_unsafe || self.copy_dirs
    }

    /// Whether files are read through symlinks.
    pub(crate) fn symlinks(self) -> Symlinks {
        if self.follows() { Symlinks::Follow } else { Symlinks::Refuse }
    }

    /// What is done with the symlink at `path` that leads to `target`.
    pub(crate) fn action(self, path: &RelPath, target: &[u8], to_dir: bool) -> LinkAction {
        let outside = is_outside(path, target);
        if self.copy_all || (self.copy_unsafe && outside) || (self.copy_dirs && to_dir) {
            LinkAction::Copy
        } else if self.skip_unsafe && outside {
            LinkAction::Skip
        } else {
            LinkAction::Keep
        }
    }
}

/// Whether a symlink leads out of the tree, by its text alone, as rsync decides it: an absolute
/// target, more `..` than directories above the link, or a `..` after a name, which a link on the
/// way could turn around.
pub fn is_outside(path: &RelPath, target: &[u8]) -> bool {
    let mut above = path.names().count() - 1;
    let mut below_name = false;
    if target.is_empty() || target.starts_with(b"/") {
        return true;
    }
    for name in target.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if below_name || above == 0 => return true,
            b".." => above -= 1,
            _ => below_name = true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_is_decided_by_the_target_alone() {
        let rows = [
            ("a", "b", false),
            ("a", "./b/c", false),
            ("a", "..", true),
            ("a", "../b", true),
            ("a", "/b", true),
            ("a", "", true),
            ("d/a", "../b", false),
            ("d/a", "../../b", true),
            ("d/e/a", "../../b/c", false),
            ("d/e/a", "../b/../c", true),
            ("d/a", "b/..", true),
        ];
        for (path, target, expected) in rows {
            let path = RelPath::new(path.as_bytes()).unwrap();
            assert_eq!(is_outside(&path, target.as_bytes()), expected, "{path} -> {target}");
        }
    }

    #[test]
    fn copying_wins_over_skipping() {
        let path = RelPath::new(&b"d/a"[..]).unwrap();
        let none = LinkRules::default();
        let all = LinkRules { copy_all: true, skip_unsafe: true, ..none };
        let unsafe_only = LinkRules { copy_unsafe: true, skip_unsafe: true, ..none };
        let dirs = LinkRules { copy_dirs: true, skip_unsafe: true, ..none };
        use LinkAction::{Copy, Keep, Skip};
        for (rules, target, to_dir, expected) in [
            (none, "/x", true, Keep),
            (all, "/x", false, Copy),
            (all, "b", false, Copy),
            (unsafe_only, "/x", false, Copy),
            (unsafe_only, "b", true, Keep),
            (dirs, "b", true, Copy),
            (dirs, "b", false, Keep),
            (dirs, "/x", true, Copy),
            (dirs, "/x", false, Skip),
        ] {
            assert_eq!(rules.action(&path, target.as_bytes(), to_dir), expected, "{target}");
        }
    }
}
