//! Compares two trees.

use super::snapshot::{Kind, Node, Snapshot};

/// How close the modification times of files must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mtimes {
    /// To the nanosecond.
    #[default]
    Exact,
    /// In the same second.
    Seconds,
    /// Not at all.
    Ignore,
}

/// The attributes to compare, besides kind, content and link target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffOptions {
    /// How close the times of files must be.
    pub mtimes: Mtimes,
    /// Whether times of directories are compared in the same way.
    pub dir_mtimes: bool,
    /// Whether times of symbolic links are compared in the same way.
    pub link_mtimes: bool,
    /// Whether permission bits of files and directories must be the same.
    pub modes: bool,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { mtimes: Mtimes::Exact, dir_mtimes: false, link_mtimes: false, modes: true }
    }
}

/// The differences between `a` and `b`, a line each.
#[must_use]
pub fn diff_trees(a: &Snapshot, b: &Snapshot, options: &DiffOptions) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, left) in a {
        let words = match b.get(path) {
            None => vec![format!("missing ({:?})", left.kind)],
            Some(right) => differences(left, right, options),
        };
        lines.extend(words.into_iter().map(|words| format!("{}: {words}", path.escape_ascii())));
    }
    let extra = b.iter().filter(|(path, _)| !a.contains_key(*path));
    lines.extend(
        extra.map(|(path, node)| format!("{}: unexpected ({:?})", path.escape_ascii(), node.kind)),
    );
    lines
}

fn differences(a: &Node, b: &Node, options: &DiffOptions) -> Vec<String> {
    if a.kind != b.kind {
        return vec![format!("{:?} became {:?}", a.kind, b.kind)];
    }
    let mut words = Vec::new();
    if a.hash != b.hash {
        words.push(format!("content differs ({} and {} bytes)", a.size, b.size));
    }
    if a.target != b.target {
        words.push(format!("target differs ({} and {})", shown(a), shown(b)));
    }
    // A symbolic link's own mode means nothing on Linux.
    if options.modes && a.kind != Kind::Symlink && a.mode != b.mode {
        words.push(format!("mode differs ({:04o} and {:04o})", a.mode, b.mode));
    }
    if !close(a, b, options) {
        words.push(format!("mtime differs ({} and {} ns)", a.mtime_ns, b.mtime_ns));
    }
    words
}

fn shown(node: &Node) -> String {
    node.target.as_deref().unwrap_or_default().escape_ascii().to_string()
}

fn close(a: &Node, b: &Node, options: &DiffOptions) -> bool {
    let counts = match a.kind {
        Kind::File => true,
        Kind::Dir => options.dir_mtimes,
        Kind::Symlink => options.link_mtimes,
        Kind::Other => false,
    };
    match options.mtimes {
        Mtimes::Exact => !counts || a.mtime_ns == b.mtime_ns,
        Mtimes::Seconds => !counts || second(a) == second(b),
        Mtimes::Ignore => true,
    }
}

fn second(node: &Node) -> i128 {
    node.mtime_ns.div_euclid(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], mode: u32, mtime_ns: i128) -> Node {
        let (size, hash) = (content.len() as u64, Some(blake3::hash(content)));
        Node { kind: Kind::File, mode, mtime_ns, size, hash, target: None }
    }

    fn link(target: &[u8]) -> Node {
        let target = Some(target.to_vec());
        Node { kind: Kind::Symlink, mode: 0o777, mtime_ns: 0, size: 0, hash: None, target }
    }

    fn tree(nodes: &[(&[u8], Node)]) -> Snapshot {
        nodes.iter().map(|(path, node)| (path.to_vec(), node.clone())).collect()
    }

    #[test]
    fn each_difference_is_a_line() {
        let a = tree(&[
            (b"gone\n", link(b"x")),
            (b"kind", link(b"x")),
            (b"l", link(b"x")),
            (b"f", file(b"a", 0o644, 1)),
        ]);
        let b = tree(&[
            (b"kind", file(b"", 0o644, 0)),
            (b"l", link(b"y")),
            (b"f", file(b"bc", 0o600, 2)),
            (b"new", link(b"x")),
        ]);
        assert_eq!(
            diff_trees(&a, &b, &DiffOptions::default()),
            [
                "f: content differs (1 and 2 bytes)",
                "f: mode differs (0644 and 0600)",
                "f: mtime differs (1 and 2 ns)",
                "gone\\n: missing (Symlink)",
                "kind: Symlink became File",
                "l: target differs (x and y)",
                "new: unexpected (Symlink)",
            ]
        );
    }

    #[test]
    fn times_are_as_close_as_asked() {
        let a = tree(&[(b"f", file(b"", 0o644, 1_000_000_001))]);
        let b = tree(&[(b"f", file(b"", 0o644, 1_999_999_999))]);
        let count =
            |mtimes| diff_trees(&a, &b, &DiffOptions { mtimes, ..DiffOptions::default() }).len();
        assert_eq!([Mtimes::Exact, Mtimes::Seconds, Mtimes::Ignore].map(count), [1, 0, 0]);
    }
}
