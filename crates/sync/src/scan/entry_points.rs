//! Entry points by pattern: files that name other files, and so are published after them.
//!
//! A visitor who gets the new `index.html` must find every script it names. Most names tell when
//! their file is published ([`super::publish_rank`]); patterns are for those that don't.

use crate::scan::filter::{FilterError, MAX_RULES, Pattern, check_len};

/// The patterns of [`EntryPoints::default`], in the syntax of `--exclude`.
pub const DEFAULT_PATTERNS: &[&str] = &[
    ".sprockets-manifest-*.json",
    "manifest*.json",
    ".manifest.json",
    "asset-manifest.json",
    "*.html",
    "*.htm",
    "sw.js",
    "service_worker.js",
    "service-worker.js",
];

/// Suffixes of compressed siblings, which web servers hand out in the plain file's place.
const SIBLINGS: &[&[u8]] = &[b".gz", b".br", b".zst"];

/// The patterns that tell entry points.
#[derive(Clone, Debug)]
pub struct EntryPoints {
    patterns: Vec<Pattern>,
}

impl EntryPoints {
    /// Whether a file, whose path is relative to the root, is an entry point; its compressed
    /// siblings are then, too.
    pub fn contain(&self, path: &[u8]) -> bool {
        let named = |path| self.patterns.iter().any(|pattern| pattern.matches(path, false));
        named(path) || named(without_compression(path))
    }
}

/// Patterns in the syntax of `--exclude`, without the prefixes `+ ` and `- `.
impl TryFrom<Vec<&[u8]>> for EntryPoints {
    type Error = FilterError;

    fn try_from(patterns: Vec<&[u8]>) -> Result<EntryPoints, FilterError> {
        if patterns.len() > MAX_RULES {
            return Err(FilterError::TooMany);
        }
        patterns.iter().try_for_each(|pattern| check_len(pattern))?;
        Ok(EntryPoints { patterns: patterns.into_iter().map(Pattern::new).collect() })
    }
}

/// The path of the file that a web server hands this one out for.
pub(super) fn without_compression(path: &[u8]) -> &[u8] {
    SIBLINGS.iter().find_map(|suffix| path.strip_suffix(*suffix)).unwrap_or(path)
}

impl Default for EntryPoints {
    fn default() -> Self {
        let patterns = DEFAULT_PATTERNS.iter().map(|text| Pattern::new(text.as_bytes())).collect();
        Self { patterns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults() {
        let entry_points = EntryPoints::default();
        let entries = [
            ".sprockets-manifest-0123456789abcdef0123456789abcdef.json",
            "assets/.sprockets-manifest-0123.json",
            "assets/.manifest.json",
            "packs/manifest.json",
            "manifest-0123.json.gz",
            ".vite/manifest.json",
            "index.html",
            "docs/404.htm.br",
            "sw.js",
            "app/service_worker.js.zst",
            "asset-manifest.json",
        ];
        for path in entries {
            assert!(entry_points.contain(path.as_bytes()), "{path}");
        }
        for path in ["app-3f2a91c0.js", "sw.js.map", "manifest.js", "html", "a.gz", "xsw.js"] {
            assert!(!entry_points.contain(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn own_patterns_replace_the_defaults() {
        let own = EntryPoints::try_from(vec![&b"/boot/*.js"[..], b"*.map.gz"]).expect("valid");
        for path in ["boot/a.js", "boot/a.js.gz", "x/a.map.gz"] {
            assert!(own.contain(path.as_bytes()), "{path}");
        }
        for path in ["x/boot/a.js", "index.html", "x/a.map"] {
            assert!(!own.contain(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn limits() {
        let long = vec![b'a'; 5000];
        assert!(matches!(EntryPoints::try_from(vec![&long[..]]), Err(FilterError::TooLong { .. })));
        let many = vec![&b"a"[..]; MAX_RULES + 1];
        assert_eq!(EntryPoints::try_from(many).map(drop), Err(FilterError::TooMany));
    }
}
