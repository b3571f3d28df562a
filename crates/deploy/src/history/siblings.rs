//! Names that belong together, and names that compete.

use std::collections::BTreeMap;

use assetsync_core::path::RelPath;

use super::tree::Tree;

/// Suffixes of compressed siblings, which web servers send instead of the plain file.
const COMPRESSED: [&[u8]; 3] = [b".gz", b".br", b".zst"];
const SOURCE_MAP: &[u8] = b".map";

/// The file that `path` follows: itself, or the one whose compressed form or source map it is.
pub(super) fn primary(path: &RelPath) -> RelPath {
    let whole = path.as_bytes();
    let plain = COMPRESSED.iter().find_map(|suffix| without(whole, suffix)).unwrap_or(whole);
    let plain = without(plain, SOURCE_MAP).unwrap_or(plain);
    // A shorter path with the same directories is one too.
    RelPath::new(plain).unwrap_or_else(|_| path.clone())
}

fn without<'a>(path: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let plain = path.strip_suffix(suffix)?;
    // A file that is called `.gz` follows none.
    plain.last().is_some_and(|&byte| byte != b'/').then_some(plain)
}

/// Whether a path names a Sprockets manifest: `.sprockets-manifest-*.json`, or `manifest-*.json`
/// with hexadecimal digits (a PWA's `manifest-fr.json` is none).
pub(super) fn is_sprockets_manifest(path: &RelPath) -> bool {
    let Some(stem) = path.file_name().strip_suffix(b".json") else { return false };
    let new = stem.strip_prefix(b".sprockets-manifest-").is_some_and(|rest| !rest.is_empty());
    new || stem.strip_prefix(b"manifest-").is_some_and(|rest| {
        rest.len() >= SHORTEST_FINGERPRINT && rest.iter().all(u8::is_ascii_hexdigit)
    })
}

/// `manifest-de.json` may be a language.
const SHORTEST_FINGERPRINT: usize = 4;

/// Sprockets manifests of one tree that share a directory. Sprockets would read the first by name,
/// which need not be the newest, so such a tree should not be deployed.
pub fn competing_manifests(tree: &Tree) -> Vec<Vec<RelPath>> {
    let mut by_directory: BTreeMap<Option<RelPath>, Vec<RelPath>> = BTreeMap::new();
    for file in tree.files().iter().filter(|file| is_sprockets_manifest(&file.path)) {
        by_directory.entry(file.path.parent()).or_default().push(file.path.clone());
    }
    by_directory.into_values().filter(|manifests| manifests.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixtures::{file, path};

    #[test]
    fn leaders() {
        let table = [
            ("a/app-1.js", "a/app-1.js"),
            ("a/app-1.js.gz", "a/app-1.js"),
            ("a/app-1.js.map", "a/app-1.js"),
            ("a/app-1.js.map.br", "a/app-1.js"),
            ("x.tar.gz", "x.tar"),
            ("a/.gz", "a/.gz"),
            (".map", ".map"),
            ("a/.map.gz", "a/.map"),
        ];
        for (name, expected) in table {
            assert_eq!(primary(&path(name)), path(expected));
        }
    }

    #[test]
    fn manifests() {
        let table = [
            (".sprockets-manifest-0123456789abcdef0123456789abcdef.json", true),
            ("a/.sprockets-manifest-x.json", true),
            ("a/manifest-0123456789abcdef0123456789abcdef.json", true),
            ("manifest.json", false),
            ("manifest-fr.json", false),
            ("manifest-de.json", false),
            (".manifest.json", false),
            ("manifest-0123/app.json", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_sprockets_manifest(&path(name)), expected, "{name}");
        }
    }

    #[test]
    fn two_manifests_compete_in_one_directory() {
        let names = ["a/manifest-0123.json", "a/manifest-4567.json", "b/manifest-0123.json"];
        let tree = Tree::new(names.iter().map(|name| file(name, 1)).collect()).unwrap();
        assert_eq!(
            competing_manifests(&tree),
            [names[..2].iter().map(|n| path(n)).collect::<Vec<_>>()]
        );
    }
}
